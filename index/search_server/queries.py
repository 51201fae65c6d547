"""Search bodies that all search servers accept: filters and text queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from rerank.core.bound_filter import BoundBool, BoundExists, BoundFilter, BoundPrefix, BoundRange, BoundTerms, MatchNone
from rerank.index.search_server.mapping import PASSAGE_TEXT, TITLE_AND_TEXT, field_key

BEST_FIRST: Sequence[Mapping[str, Any]] = [{"_score": {"order": "desc"}}, {"doc_id": {"order": "asc"}}]
DOCUMENT_FIELDS: Sequence[str] = ["doc_id", "title", "text"]
_PASSAGE_FIELDS = ["passages.text", "passages.start", "passages.end"]

OVERSAMPLING, MIN_GRAPH_K, MAX_GRAPH_K = 3, 300, 10_000
"""Factor and bounds of the number of candidates in the vector graph. A search for only k candidates would miss near
documents. `size` limits the result."""


def filter_clause(bound: BoundFilter) -> dict[str, Any]:
    """Returns *bound* as a filter clause of the query language."""
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


def text_query(words: Sequence[str], *, k: int, filter: BoundFilter | None) -> dict[str, Any]:
    """Returns the search for the *k* documents that match any of *words* best."""
    query: dict[str, Any] = {"match": {TITLE_AND_TEXT: {"query": " ".join(words), "operator": "or"}}}
    if filter is not None:
        query = {"bool": {"must": [query], "filter": [filter_clause(filter)]}}
    # A document with one passage needs no second search for its best passage: its fields are fetched here.
    return {
        "size": k,
        "_source": [*DOCUMENT_FIELDS, "passages.start", "passages.end"],
        "query": query,
        "sort": BEST_FIRST,
        "track_total_hits": False,
    }


def best_passages_query(words: Sequence[str], doc_ids: Sequence[str]) -> dict[str, Any]:
    """Returns the search for the best passage of each of *doc_ids*; documents without a match have no inner hit."""
    best = {
        "nested": {
            "path": "passages",
            "score_mode": "max",
            "query": {"bool": {"must": [{"match_all": {}}], "should": [{"match": {PASSAGE_TEXT: " ".join(words)}}]}},
            "inner_hits": best_passage(),
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


def graph_k(k: int) -> int:
    """Returns the number of candidates in the vector graph for a search of *k* documents."""
    return min(max(OVERSAMPLING * k, MIN_GRAPH_K), MAX_GRAPH_K)


def best_passage() -> dict[str, Any]:
    """Returns the inner hits that contain the best passage of each document."""
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
