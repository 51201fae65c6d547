"""What OpenSearch is asked: filters, nearest passages, matching words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from rerank.core.bound_filter import BoundBool, BoundExists, BoundFilter, BoundPrefix, BoundRange, BoundTerms, MatchNone
from rerank.index.opensearch.layout import HEADED, PASSAGE_TEXT, VECTOR, field_key

_BEST_FIRST = [{"_score": {"order": "desc"}}, {"doc_id": {"order": "asc"}}]
_CANDIDATE = ["doc_id", "title", "text"]
_PIECE = ["passages.text", "passages.start", "passages.end"]


SEARCHED, AT_LEAST, AT_MOST = 3, 300, 10_000
"""How many times k the graph is asked for, within bounds: a graph is searched only as widely as it is asked for, and
answers less than the nearest k when that is k. `size` cuts the answer. `ef_search` would do, but not on every server
and engine."""


def filter_clause(bound: BoundFilter) -> dict[str, Any]:
    """*bound* in the query language of OpenSearch."""
    match bound:
        case MatchNone():
            return {"match_none": {}}
        case BoundTerms():
            return {"terms": {_path(bound.field): list(bound.values)}}
        case BoundRange():
            return {"range": {_path(bound.field): dict(bound.bounds)}}
        case BoundExists():
            return {"exists": {"field": _path(bound.field)}}
        case BoundPrefix():
            return {"prefix": {_path(bound.field): {"value": bound.value}}}
        case BoundBool():
            return _bool(bound)
    assert_never(bound)


def nearest(vector: NDArray[np.float32], *, k: int, filter: BoundFilter | None, exact: bool) -> dict[str, Any]:
    """The *k* documents with a passage nearest to *vector*, each with that passage."""
    within = None if filter is None else filter_clause(filter)
    query: dict[str, Any]
    if exact:
        script = {
            "source": "knn_score",
            "lang": "knn",
            "params": {"field": VECTOR, "query_value": vector.tolist(), "space_type": "cosinesimil"},
        }
        query = {"script_score": {"query": {"match_all": {}}, "script": script}}
    else:
        clause: dict[str, Any] = {"vector": vector.tolist(), "k": _searched(k)}
        if within is not None:
            clause["filter"] = within
        query = {"knn": {VECTOR: clause}}
    nested: dict[str, Any] = {
        "nested": {"path": "passages", "score_mode": "max", "query": query, "inner_hits": _best()}
    }
    if exact and within is not None:
        nested = {"bool": {"must": [nested], "filter": [within]}}
    return {"size": k, "_source": _CANDIDATE, "query": nested, "sort": _BEST_FIRST, "track_total_hits": False}


def matching(words: Sequence[str], *, k: int, filter: BoundFilter | None) -> dict[str, Any]:
    """The *k* documents that match any of *words* best."""
    query: dict[str, Any] = {"match": {HEADED: {"query": " ".join(words), "operator": "or"}}}
    if filter is not None:
        query = {"bool": {"must": [query], "filter": [filter_clause(filter)]}}
    # A document of one passage needs no search for its best one; first_piece says where that lies.
    return {
        "size": k,
        "_source": [*_CANDIDATE, "passages.start", "passages.end"],
        "query": query,
        "sort": _BEST_FIRST,
        "track_total_hits": False,
    }


def matching_passages(words: Sequence[str], doc_ids: Sequence[str]) -> dict[str, Any]:
    """The passage that matches best in each of *doc_ids*; a document where none does has no inner hit."""
    best = {
        "nested": {
            "path": "passages",
            "score_mode": "max",
            "query": {"bool": {"must": [{"match_all": {}}], "should": [{"match": {PASSAGE_TEXT: " ".join(words)}}]}},
            "inner_hits": _best(),
        }
    }
    return {
        "size": len(doc_ids),
        "_source": ["doc_id"],
        "query": {"bool": {"filter": [{"terms": {"doc_id": list(doc_ids)}}], "must": [best]}},
        "track_total_hits": False,
    }


def counting() -> dict[str, Any]:
    """How many documents and passages there are."""
    return {"size": 0, "track_total_hits": True, "aggs": {"passages": {"nested": {"path": "passages"}}}}


def _searched(k: int) -> int:
    return min(max(SEARCHED * k, AT_LEAST), AT_MOST)


def _best() -> dict[str, Any]:
    return {"size": 1, "_source": _PIECE}


def _path(name: str) -> str:
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
