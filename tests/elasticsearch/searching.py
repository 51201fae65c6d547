"""Searches of the stub: some clauses and retrievers. Unknown ones cause an error, as in the server.

The rules for retrievers are those of Elasticsearch's CompoundRetrieverBuilder and SearchSourceBuilder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.elasticsearch.api_error import ApiError
from tests.elasticsearch.documents import SHARDS, Index

_KEYS = frozenset(
    {"query", "retriever", "from", "size", "fields", "_source", "track_total_hits", "pit", "post_filter", "sort"}
)
_DEFAULT_WINDOW = 10

Scores = dict[str, float]
"""Scores by document id, in descending order."""


def search(name: str, index: Index, body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the response to a search. Raises ApiError (400, 404)."""
    for key in body.keys() - _KEYS:
        raise ApiError(400, "parsing_exception", f"Unknown key for a START_OBJECT in [{key}].", line=1, col=2)
    if body.get("sort", "_doc") != "_doc":
        raise ApiError(400, "search_phase_execution_exception", "No mapping found in order to sort on")
    if "retriever" in body and "query" in body:
        raise ApiError(400, "action_request_validation_exception", "cannot specify [retriever] and [query]")
    size, start = body.get("size", 10), body.get("from", 0)
    if "retriever" in body:
        scores = _retrieve(index, body["retriever"], size)
    else:
        scores = _match(index, body.get("query", {"match_all": {}}))
    allowed = _match(index, body["post_filter"]) if "post_filter" in body else scores
    ids = [doc_id for doc_id in scores if doc_id in allowed]
    hits = [_hit(name, index, doc_id, scores[doc_id], body) for doc_id in ids[start : start + size]]
    outer = {"total": {"value": len(ids), "relation": "eq"}, "max_score": max(scores.values(), default=None)}
    return {"took": 1, "timed_out": False, "_shards": {**SHARDS, "skipped": 0}, "hits": {**outer, "hits": hits}}


def _hit(name: str, index: Index, doc_id: str, score: float, body: Mapping[str, Any]) -> dict[str, Any]:
    document = index.documents[doc_id]
    hit: dict[str, Any] = {"_index": name, "_id": doc_id, "_score": score}
    if body.get("_source") is not False:
        hit["_source"] = document
    fields = {key: [document[key]] for key in body.get("fields", []) if key in document}
    return {**hit, "fields": fields} if fields else hit


def _retrieve(index: Index, retriever: Mapping[str, Any], size: int) -> Scores:
    ((kind, part),) = retriever.items()
    if kind == "standard":
        scores = _match(index, part.get("query", {"match_all": {}}))
    elif kind in ("rrf", "linear"):
        scores = _fuse(index, kind, part, size)
    elif kind == "text_similarity_reranker":
        name = part["inference_id"]
        raise ApiError(404, "resource_not_found_exception", f"Inference endpoint not found [{name}]")
    else:
        raise ApiError(400, "parsing_exception", f"unknown retriever [{kind}]", line=1, col=2)
    filters = part.get("filter", [])
    for clause in filters if isinstance(filters, list) else [filters]:
        matching = _match(index, clause)
        scores = {doc_id: score for doc_id, score in scores.items() if doc_id in matching}
    return scores


def _fuse(index: Index, kind: str, part: Mapping[str, Any], size: int) -> Scores:
    window = part.get("rank_window_size", _DEFAULT_WINDOW)
    if window < size:
        reason = f"[{kind}] requires [rank_window_size: {window}] be greater than or equal to [size: {size}]"
        raise ApiError(400, "action_request_validation_exception", f"Validation Failed: 1: {reason};")
    scores: Scores = {}
    for member in part["retrievers"]:
        scored = _retrieve(index, member.get("retriever", member), size)
        for rank, (doc_id, score) in enumerate(list(scored.items())[:window], start=1):
            weight = member.get("weight", 1.0)
            by_rank = weight / (part.get("rank_constant", 60) + rank)
            scores[doc_id] = scores.get(doc_id, 0.0) + (by_rank if kind == "rrf" else weight * score)
    return _descending(scores)


def _match(index: Index, clause: Mapping[str, Any]) -> Scores:
    scored = {
        doc_id: _score(doc_id, {"_index": index.name, **document}, clause)
        for doc_id, document in index.documents.items()
    }
    return _descending({doc_id: score for doc_id, score in scored.items() if score is not None})


def _score(doc_id: str, document: Mapping[str, Any], clause: Mapping[str, Any]) -> float | None:
    ((kind, part),) = clause.items()
    if kind == "match_all":
        return 1.0
    if kind == "ids":
        return 1.0 if doc_id in part["values"] else None
    if kind == "bool":
        return _bool_score(doc_id, document, part)
    if kind in ("match", "term"):
        ((field, value),) = part.items()
        words = str(value["query"] if isinstance(value, dict) else value).split()
        hits = sum(str(document.get(field, "")).split().count(word) for word in words)
        return float(hits) or None
    raise ApiError(400, "parsing_exception", f"unknown query [{kind}]", line=1, col=2)


def _bool_score(doc_id: str, document: Mapping[str, Any], part: Mapping[str, Any]) -> float | None:
    required = [_score(doc_id, document, clause) for clause in _clauses(part, "must", "filter")]
    optional = [_score(doc_id, document, clause) for clause in _clauses(part, "should")]
    if None in required or (optional and not required and not any(optional)):
        return None
    return sum(score or 0.0 for score in [*required, *optional])


def _clauses(part: Mapping[str, Any], *names: str) -> Iterator[Mapping[str, Any]]:
    for name in names:
        value = part.get(name, [])
        yield from value if isinstance(value, list) else [value]


def _descending(scores: Scores) -> Scores:
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
