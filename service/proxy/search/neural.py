"""`neural` clauses, which name a text, as `knn` clauses with its vector: the server needs no model of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Encode = Callable[[str], Sequence[float]]
"""A query's text to its vector."""

_KEPT = frozenset(
    {"filter", "min_score", "max_distance", "method_parameters", "rescore", "boost", "_name", "expand_nested_docs"}
)
_LIMITS = frozenset({"min_score", "max_distance"})


def has_neural(clause: object) -> bool:
    """Whether a clause that must be embedded is anywhere in *clause*."""
    if isinstance(clause, list):
        return any(has_neural(member) for member in clause)
    if not isinstance(clause, Mapping):
        return False
    return any(_embeddable(name, value) is not None or has_neural(value) for name, value in clause.items())


def embedded(clause: Any, encode: Encode, *, window: int, elasticsearch: bool = False) -> Any:
    """*clause* with each `neural` one, and each `knn` one that has a `query_text`, by vector.

    Their k becomes at least *window*, so that there is something to re-rank.
    """
    if isinstance(clause, list):
        return [embedded(member, encode, window=window, elasticsearch=elasticsearch) for member in clause]
    if not isinstance(clause, Mapping):
        return clause
    result: dict[str, Any] = {}
    for name, value in clause.items():
        field = _embeddable(name, value)
        if field is None:
            result[name] = embedded(value, encode, window=window, elasticsearch=elasticsearch)
            continue
        knn = _by_vector(value[field], encode, window)
        result["knn"] = _as_elasticsearch(field, knn) if elasticsearch else {field: knn}
    return result


def _embeddable(name: str, value: object) -> str | None:
    """The field of a clause that has a text in place of a vector. A field that happens to be called `neural`, in a
    match, is none: its value has no query_text."""
    if name not in ("neural", "knn") or not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((field, inner),) = value.items()
    if not isinstance(inner, Mapping) or not isinstance(inner.get("query_text"), str):
        return None
    return None if "vector" in inner or "query_image" in inner else str(field)


def _by_vector(asked: Mapping[str, Any], encode: Encode, window: int) -> dict[str, Any]:
    knn: dict[str, Any] = {"vector": list(encode(asked["query_text"]))}
    if not _LIMITS & asked.keys():
        k = asked.get("k")
        knn["k"] = max(k, window) if isinstance(k, int) else window
    return knn | {key: value for key, value in asked.items() if key in _KEPT}


def _as_elasticsearch(field: str, knn: Mapping[str, Any]) -> dict[str, Any]:
    other = {key: value for key, value in knn.items() if key in ("filter", "boost", "_name")}
    k = knn.get("k", 10)
    return {"field": field, "query_vector": knn["vector"], "k": k, "num_candidates": max(100, k), **other}
