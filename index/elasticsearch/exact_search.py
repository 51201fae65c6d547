"""Exact vector search without scripts, which a server can disable.

Lucene compares every vector that passes a filter if there are at most `num_candidates` of them in a segment. So the
index is searched in ranges of sequence numbers with at most that many passages, and the results are merged. All
documents are compared by the vectors of the index, and the best of them by the full vectors if the server rescores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rerank.index.elasticsearch.vector_query import knn_body
from rerank.index.search_server.product import Hit, Search, VectorQuery

MAX_CANDIDATES = 10_000
"""Limit of `num_candidates`."""
_BUCKETS = 5_000
"""Number of buckets in which passages are counted. The server allows 65,536."""


def exact_hits(search: Search, query: VectorQuery, *, oversample: float | None) -> list[Hit]:
    """Returns the *k* nearest documents of all, best first, ties by document id.

    oversample: multiple of the best documents of each range to rescore with the full vectors, or None.
    """
    found: list[Hit] = []
    for bounds in _ranges(search):
        clauses = [{"range": {"_seq_no": bounds}}, *([query.clause] if query.clause is not None else [])]
        part = replace(query, clause={"bool": {"filter": clauses}})
        body = knn_body(part, oversample=oversample, candidates=MAX_CANDIDATES)
        found += search(body)["hits"]["hits"]
    return sorted(found, key=lambda hit: (-hit["_score"], hit["_source"]["doc_id"]))[: query.k]


def _ranges(search: Search) -> Iterator[dict[str, int]]:
    """Yields ranges of sequence numbers that cover the index, each with at most MAX_CANDIDATES passages.

    A bucket with more passages becomes a range of its own; in it, the search is only nearly exact.
    """
    start: int | None = None
    passages = 0
    for first, count in _counts(search):
        if start is not None and passages + count > MAX_CANDIDATES:
            yield {"gte": start, "lt": first}
            start, passages = first, 0
        # The first range starts at 0 and the last one has no end, so that concurrent writes are found.
        start = 0 if start is None else start
        passages += count
    yield {"gte": start or 0}


def _counts(search: Search) -> Sequence[tuple[int, int]]:
    """Returns the number of passages by the first sequence number of each bucket, in order."""
    latest = search({"size": 1, "sort": [{"_seq_no": "desc"}], "_source": False, "track_total_hits": False})
    hits: Sequence[Mapping[str, Any]] = latest["hits"]["hits"]
    if not hits:
        return []
    interval = hits[0]["sort"][0] // _BUCKETS + 1
    aggregation = {
        "histogram": {"field": "_seq_no", "interval": interval, "min_doc_count": 1},
        "aggs": {"passages": {"nested": {"path": "passages"}}},
    }
    response = search({"size": 0, "aggs": {"ranges": aggregation}, "track_total_hits": False})
    buckets = response["aggregations"]["ranges"]["buckets"]
    return [(int(bucket["key"]), bucket["passages"]["doc_count"]) for bucket in buckets]
