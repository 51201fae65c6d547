"""100 passages of about 128 tokens: ours against what a user would pick instead, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack

from sentence_transformers import CrossEncoder

from benchmarks.interleaved import seconds
from benchmarks.sample_models import QUERY
from benchmarks.speed.context import Place
from benchmarks.speed.onnx_client import onnx_peer
from benchmarks.speed.products import int8_operations_a_second, operations
from benchmarks.speed.result import Line
from rerank.core.settings import Settings
from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.shared_resources import SharedResources

PASSAGES = 100
CONTENDERS = Settings().contenders


def measure(place: Place) -> list[Line]:
    """Seconds of each way, round by round, and the ratios."""
    passages = place.passages(PASSAGES)
    shared = SharedResources()
    full = CrossEncoderReranker.from_folder(ModelFolder.read(place.cross_encoder()), shared=shared)
    # A hybrid search scores only its contenders, the best candidates of the first stage.
    contenders = passages[:CONTENDERS]
    theirs = CrossEncoder(str(place.cross_encoder()), device="cpu")
    pairs = [(QUERY, passage) for passage in passages]
    tokens = float(full.score(QUERY, passages).tokens.mean())
    ways: dict[str, Callable[[], float]] = {
        "ours": lambda: seconds(lambda: full.score(QUERY, passages)),
        "search": lambda: seconds(lambda: full.score(QUERY, contenders)),
        "predict": lambda: seconds(lambda: theirs.predict(pairs)),
    }
    with ExitStack() as stack:
        if place.peers is not None:
            onnx = stack.enter_context(onnx_peer(place.peers, place.cross_encoder(), place.onnx_folder))
            ways["onnx"] = lambda: onnx.seconds(QUERY, passages)
        took = _in_turns(ways, rounds=place.rounds)
    return _lines(took, tokens)


def _in_turns(ways: dict[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    for way in ways.values():
        way()
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            took[name].append(way())
    return took


def _lines(took: dict[str, list[float]], tokens: float) -> list[Line]:
    rate = {name: PASSAGES / statistics.median(values) for name, values in took.items()}
    how = f"{PASSAGES} passages, {tokens:.0f} tokens a pair, {len(took['ours'])} rounds in turns"
    lines = [Line(f"pairs a second: {name}", value, "/s", detail=how) for name, value in rate.items()]
    for peer, goals in (("predict", (4, 10)), ("onnx", (1.2, 2.5))):
        if peer in took:
            for ours, goal, detail in (
                ("ours", goals[0], "one model"),
                ("search", goals[1], f"one model, a search's {CONTENDERS} contenders"),
            ):
                ratio, spread = _ratio(took[ours], took[peer])
                lines.append(Line.at_least(f"{ours} / {peer}", ratio, "x", goal=goal, detail=f"{detail}; {spread}"))
    limit = int8_operations_a_second()
    share = rate["ours"] * operations(round(tokens)) / limit
    lines.append(
        Line.at_least("share of the int8 limit", share, "", goal=0.6, detail=f"{limit / 1e9:.0f} GOPS in a product")
    )
    return lines


def _ratio(ours: list[float], theirs: list[float]) -> tuple[float, str]:
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), f"rounds {min(ratios):.2f} to {max(ratios):.2f}"
