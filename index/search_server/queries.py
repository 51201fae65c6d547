"""Search bodies of the OpenSearch store: filters, k-NN and text queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from rerank.core.bound_filter import BoundBool, BoundExists, BoundFilter, BoundPrefix, BoundRange, BoundTerms, MatchNone
from rerank.index.search_server.mapping import PASSAGE_TEXT, TITLE_AND_TEXT, VECTOR, field_key

_BEST_FIRST = [{"_score": {"order": "desc"}}, {"doc_id": {"order": "asc"}}]
_DOCUMENT_FIELDS = ["doc_id", "title", "text"]
_PASSAGE_FIELDS = ["passages.text", "passages.start", "passages.end"]

OVERSAMPLING, MIN_GRAPH_K, MAX_GRAPH_K = 3, 300, 10_000
"""Factor and bounds of the k for the vector graph. This k also sets the width of the graph search, which would miss
near documents with the k of the request. `size` limits the result. Some servers and engines lack `ef_search`."""


def filter_clause(bound: BoundFilter) -> dict[str, Any]:
    """Returns *bound* as an OpenSearch filter clause."""
    match bound:
        case MatchNone():
            return {"match_none": {}}
        case BoundTerms():
            return {"terms": {_field_path(bound.field): list(bound.values)}}
        case BoundRange():
            return {"range": {_field_path(bound.field): dict(bound.bounds)}}
        case BoundExists():
            return {"exists": {"field": _field_path(bound.field)}}
        case BoundPrefix():
            return {"prefix": {_field_path(bound.field): {"value": bound.value}}}
        case BoundBool():
            return _bool(bound)
    assert_never(bound)


def knn_query(vector: NDArray[np.float32], *, k: int, filter: BoundFilter | None, exact: bool) -> dict[str, Any]:
    """Returns the search for the *k* documents whose best passage is nearest to *vector* (dim,)."""
    clause = None if filter is None else filter_clause(filter)
    query: dict[str, Any]
    if exact:
        script = {
            "source": "knn_score",
            "lang": "knn",
            "params": {"field": VECTOR, "query_value": vector.tolist(), "space_type": "cosinesimil"},
        }
        query = {"script_score": {"query": {"match_all": {}}, "script": script}}
    else:
        knn: dict[str, Any] = {"vector": vector.tolist(), "k": _graph_k(k)}
        if clause is not None:
            knn["filter"] = clause
        query = {"knn": {VECTOR: knn}}
    nested: dict[str, Any] = {
        "nested": {"path": "passages", "score_mode": "max", "query": query, "inner_hits": _best_passage()}
    }
    if exact and clause is not None:
        nested = {"bool": {"must": [nested], "filter": [clause]}}
    return {"size": k, "_source": _DOCUMENT_FIELDS, "query": nested, "sort": _BEST_FIRST, "track_total_hits": False}


def text_query(words: Sequence[str], *, k: int, filter: BoundFilter | None) -> dict[str, Any]:
    """Returns the search for the *k* documents that match any of *words* best."""
    query: dict[str, Any] = {"match": {TITLE_AND_TEXT: {"query": " ".join(words), "operator": "or"}}}
    if filter is not None:
        query = {"bool": {"must": [query], "filter": [filter_clause(filter)]}}
    # A document with one passage needs no second search for its best passage: its fields are fetched here.
    return {
        "size": k,
        "_source": [*_DOCUMENT_FIELDS, "passages.start", "passages.end"],
        "query": query,
        "sort": _BEST_FIRST,
        "track_total_hits": False,
    }


def best_passages_query(words: Sequence[str], doc_ids: Sequence[str]) -> dict[str, Any]:
    """Returns the search for the best passage of each of *doc_ids*; documents without a match have no inner hit."""
    best = {
        "nested": {
            "path": "passages",
            "score_mode": "max",
            "query": {"bool": {"must": [{"match_all": {}}], "should": [{"match": {PASSAGE_TEXT: " ".join(words)}}]}},
            "inner_hits": _best_passage(),
        }
    }
    return {
        "size": len(doc_ids),
        "_source": ["doc_id"],
        "query": {"bool": {"filter": [{"terms": {"doc_id": list(doc_ids)}}], "must": [best]}},
        "track_total_hits": False,
    }


def count_query() -> dict[str, Any]:
    """Returns the search that counts documents and passages."""
    return {"size": 0, "track_total_hits": True, "aggs": {"passages": {"nested": {"path": "passages"}}}}


def _graph_k(k: int) -> int:
    return min(max(OVERSAMPLING * k, MIN_GRAPH_K), MAX_GRAPH_K)


def _best_passage() -> dict[str, Any]:
    return {"size": 1, "_source": _PASSAGE_FIELDS}


def _field_path(name: str) -> str:
    return f"metadata.{field_key(name)}"


def _bool(bound: BoundBool) -> dict[str, Any]:
    clause: dict[str, Any] = {}
    if bound.must:
        clause["filter"] = [filter_clause(part) for part in bound.must]
    if bound.must_not:
        clause["must_not"] = [filter_clause(part) for part in bound.must_not]
    if bound.should and bound.minimum_should:
        clause["should"] = [filter_clause(part) for part in bound.should]
        clause["minimum_should_match"] = bound.minimum_should
    return {"bool": clause} if clause else {"match_all": {}}
