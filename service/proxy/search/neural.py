"""Conversion of `neural` clauses, which have a text, to `knn` clauses with the vector of the text.

The service encodes the text, so OpenSearch needs no model of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Encode = Callable[[str], Sequence[float]]
"""Function from a query text to its vector."""

_KNN_KEYS = frozenset(
    {"filter", "min_score", "max_distance", "method_parameters", "rescore", "boost", "_name", "expand_nested_docs"}
)
_LIMITS = frozenset({"min_score", "max_distance"})


def has_neural(clause: object) -> bool:
    """Returns True if *clause* contains a clause whose text must be encoded."""
    if isinstance(clause, list):
        return any(has_neural(member) for member in clause)
    if not isinstance(clause, Mapping):
        return False
    return any(_text_field(name, value) is not None or has_neural(value) for name, value in clause.items())


def with_vectors(clause: Any, encode: Encode, *, window: int, elasticsearch: bool = False) -> Any:
    """Returns *clause* with a vector instead of the text in each `neural` clause and each `knn` with `query_text`.

    Their k becomes at least *window*, so that enough hits are retrieved for reranking.
    """
    if isinstance(clause, list):
        return [with_vectors(member, encode, window=window, elasticsearch=elasticsearch) for member in clause]
    if not isinstance(clause, Mapping):
        return clause
    result: dict[str, Any] = {}
    for name, value in clause.items():
        field = _text_field(name, value)
        if field is None:
            result[name] = with_vectors(value, encode, window=window, elasticsearch=elasticsearch)
            continue
        knn = _knn_clause(value[field], encode, window)
        result["knn"] = _as_elasticsearch(field, knn) if elasticsearch else {field: knn}
    return result


def _text_field(name: str, value: object) -> str | None:
    """Returns the vector field of a clause with a text, or None for other clauses.

    A `match` on a field named `neural` is not such a clause: its value has no `query_text`.
    """
    if name not in ("neural", "knn") or not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((field, inner),) = value.items()
    if not isinstance(inner, Mapping) or not isinstance(inner.get("query_text"), str):
        return None
    return None if "vector" in inner or "query_image" in inner else str(field)


def _knn_clause(clause: Mapping[str, Any], encode: Encode, window: int) -> dict[str, Any]:
    knn: dict[str, Any] = {"vector": list(encode(clause["query_text"]))}
    if not _LIMITS & clause.keys():
        k = clause.get("k")
        knn["k"] = max(k, window) if isinstance(k, int) else window
    return knn | {key: value for key, value in clause.items() if key in _KNN_KEYS}


def _as_elasticsearch(field: str, knn: Mapping[str, Any]) -> dict[str, Any]:
    other = {key: value for key, value in knn.items() if key in ("filter", "boost", "_name")}
    k = knn.get("k", 10)
    return {"field": field, "query_vector": knn["vector"], "k": k, "num_candidates": max(100, k), **other}
