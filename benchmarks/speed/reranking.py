"""Reranking of 100 passages of about 128 tokens: ours against the alternatives, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack

from sentence_transformers import CrossEncoder

from benchmarks.interleaved import seconds
from benchmarks.sample_models import QUERY
from benchmarks.speed.context import Context
from benchmarks.speed.onnx_client import onnx_peer
from benchmarks.speed.products import int8_operations_per_second, operations
from benchmarks.speed.result import Result
from rerank.core.settings import Settings
from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.shared_resources import SharedResources

PASSAGES = 100
CONTENDERS = Settings().contenders


def measure(context: Context) -> list[Result]:
    """Returns the rates of all alternatives, and the ratios."""
    passages = context.passages(PASSAGES)
    shared = SharedResources()
    full = CrossEncoderReranker.from_folder(ModelFolder.read(context.cross_encoder()), shared=shared)
    # A hybrid search scores only its contenders, the best candidates of the first stage.
    contenders = passages[:CONTENDERS]
    theirs = CrossEncoder(str(context.cross_encoder()), device="cpu")
    pairs = [(QUERY, passage) for passage in passages]
    tokens = float(full.score(QUERY, passages).tokens.mean())
    alternatives: dict[str, Callable[[], float]] = {
        "ours": lambda: seconds(lambda: full.score(QUERY, passages)),
        "search": lambda: seconds(lambda: full.score(QUERY, contenders)),
        "predict": lambda: seconds(lambda: theirs.predict(pairs)),
    }
    with ExitStack() as stack:
        if context.peers is not None:
            onnx = stack.enter_context(onnx_peer(context.peers, context.cross_encoder(), context.onnx_folder))
            alternatives["onnx"] = lambda: onnx.seconds(QUERY, passages)
        seconds_by_name = _in_turns(alternatives, rounds=context.rounds)
    return _results(seconds_by_name, tokens)


def _in_turns(alternatives: dict[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    for call in alternatives.values():
        call()
    seconds_by_name: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(rounds):
        for name, call in alternatives.items():
            seconds_by_name[name].append(call())
    return seconds_by_name


def _results(seconds_by_name: dict[str, list[float]], tokens: float) -> list[Result]:
    rate = {name: PASSAGES / statistics.median(values) for name, values in seconds_by_name.items()}
    how = f"{PASSAGES} passages, {tokens:.0f} tokens per pair, {len(seconds_by_name['ours'])} rounds in turns"
    results = [Result(f"pairs/s: {name}", value, "/s", detail=how) for name, value in rate.items()]
    for peer, goals in (("predict", (4, 10)), ("onnx", (1.2, 2.5))):
        if peer in seconds_by_name:
            for ours, goal, detail in (
                ("ours", goals[0], "one model"),
                ("search", goals[1], f"one model, a search's {CONTENDERS} contenders"),
            ):
                ratio, spread = _ratio(seconds_by_name[ours], seconds_by_name[peer])
                results.append(Result.at_least(f"{ours} / {peer}", ratio, "x", goal=goal, detail=f"{detail}; {spread}"))
    limit = int8_operations_per_second()
    fraction = rate["ours"] * operations(round(tokens)) / limit
    results.append(
        Result.at_least(
            "fraction of the int8 limit", fraction, "", goal=0.6, detail=f"{limit / 1e9:.0f} GOPS in a product"
        )
    )
    return results


def _ratio(ours: list[float], theirs: list[float]) -> tuple[float, str]:
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), f"rounds {min(ratios):.2f} to {max(ratios):.2f}"
