"""Reranking time against candidates x tokens."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.interleaved import seconds
from benchmarks.sample_models import QUERY
from benchmarks.speed.context import Context
from benchmarks.speed.result import Result
from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker

_COUNTS = (10, 30, 100, 300, 1000)
_WORDS = {32: 12, 64: 34, 128: 78, 256: 168, 512: 330}
_MAX_TOKENS = 130_000
"""Maximum of candidates x tokens: 1,000 x 128 or 250 x 512."""


@dataclass(frozen=True)
class Point:
    """Time of reranking *count* candidates with *tokens* tokens per pair."""

    count: int
    tokens: float
    seconds: float


def points(context: Context) -> list[Point]:
    """Returns the measured points, each the median of three runs."""
    reranker = CrossEncoderReranker.from_folder(ModelFolder.read(context.cross_encoder()))
    measured = []
    for target, words in _WORDS.items():
        for count in _COUNTS:
            if count * target > _MAX_TOKENS:
                continue
            passages = context.passages(count, words=words)
            tokens = float(reranker.score(QUERY, passages[:10]).tokens.mean())
            took = statistics.median(seconds(lambda: reranker.score(QUERY, passages)) for _ in range(3))  # noqa: B023
            measured.append(Point(count, tokens, took))
    return measured


def measure(context: Context) -> list[Result]:
    """Returns the exponent of the growth, and writes a plot."""
    measured = points(context)
    plot(measured, context.folder / "growth.png")
    large = [point for point in measured if point.count * point.tokens > 2_000]
    logs = np.log([[point.count * point.tokens, point.seconds] for point in large])
    exponent = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    rates = [point.count * point.tokens / point.seconds for point in large]
    spread = f"{min(rates) / 1000:.0f} to {max(rates) / 1000:.0f} thousand tokens/s"
    return [Result("time ~ (candidates x tokens)^e", exponent, "= e", "near 1", 0.9 <= exponent <= 1.15, spread)]


def plot(measured: list[Point], file: Path) -> None:
    """Plots seconds against candidates x tokens, both logarithmic, one line per length."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5))
    for tokens in sorted({point.tokens for point in measured}):
        line = [point for point in measured if point.tokens == tokens]
        axes.loglog(
            [p.count * p.tokens for p in line], [p.seconds for p in line], "o-", label=f"{tokens:.0f} tokens per pair"
        )
    axes.set_xlabel("candidates x tokens")
    axes.set_ylabel("seconds")
    axes.set_title("Reranking on two cores, MiniLM-L6 cross-encoder")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
