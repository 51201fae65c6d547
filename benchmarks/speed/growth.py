"""What a re-ranking costs, against candidates x tokens."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.interleaved import seconds
from benchmarks.sample_models import QUERY
from benchmarks.speed.context import Place
from benchmarks.speed.result import Line
from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker

_COUNTS = (10, 30, 100, 300, 1000)
_WORDS = {32: 12, 64: 34, 128: 78, 256: 168, 512: 330}
_MOST_TOKENS = 130_000
"""More than 1,000 x 128 or 250 x 512 tokens are left out: what is proportional there is proportional beyond."""


@dataclass(frozen=True)
class Point:
    """Seconds for *count* candidates of *tokens* tokens a pair."""

    count: int
    tokens: float
    seconds: float


def points(place: Place) -> list[Point]:
    """Measured by the median of three."""
    reranker = CrossEncoderReranker.from_folder(ModelFolder.read(place.cross_encoder()))
    found = []
    for aimed, words in _WORDS.items():
        for count in _COUNTS:
            if count * aimed > _MOST_TOKENS:
                continue
            passages = place.passages(count, words=words)
            tokens = float(reranker.score(QUERY, passages[:10]).tokens.mean())
            took = statistics.median(seconds(lambda: reranker.score(QUERY, passages)) for _ in range(3))  # noqa: B023
            found.append(Point(count, tokens, took))
    return found


def measure(place: Place) -> list[Line]:
    """How far the cost is from proportional, and a plot."""
    found = points(place)
    plot(found, place.folder / "growth.png")
    large = [point for point in found if point.count * point.tokens > 2_000]
    logs = np.log([[point.count * point.tokens, point.seconds] for point in large])
    exponent = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    rates = [point.count * point.tokens / point.seconds for point in large]
    spread = f"{min(rates) / 1000:.0f} to {max(rates) / 1000:.0f} thousand tokens a second"
    return [Line("cost ~ (candidates x tokens)^e", exponent, "= e", "near 1", 0.9 <= exponent <= 1.15, spread)]


def plot(found: list[Point], file: Path) -> None:
    """Seconds against candidates x tokens, both logarithmic, one colour a length."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5))
    for tokens in sorted({point.tokens for point in found}):
        line = [point for point in found if point.tokens == tokens]
        axes.loglog(
            [p.count * p.tokens for p in line], [p.seconds for p in line], "o-", label=f"{tokens:.0f} tokens a pair"
        )
    axes.set_xlabel("candidates x tokens")
    axes.set_ylabel("seconds")
    axes.set_title("Re-ranking on two cores, MiniLM-L6 cross-encoder")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
