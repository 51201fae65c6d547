"""Search body of the `knn` option."""

from __future__ import annotations

from typing import Any

from rerank.index.search_server.mapping import VECTOR
from rerank.index.search_server.product import VectorQuery
from rerank.index.search_server.queries import BEST_FIRST, DOCUMENT_FIELDS, MAX_GRAPH_K, best_passage, graph_k


def knn_body(query: VectorQuery, *, oversample: float | None, candidates: int | None = None) -> dict[str, Any]:
    """Returns the search body of *query*.

    oversample: multiple of the candidates to rescore with the full vectors, or None. candidates: number of candidates
    in the graph of each segment, by default a multiple of k.
    """
    # More than query.k, so that documents with equal scores are there when the ties are sorted by id.
    width = min(graph_k(query.k), candidates or MAX_GRAPH_K)
    knn: dict[str, Any] = {
        "field": VECTOR,
        "query_vector": query.vector.tolist(),
        "k": width,
        "num_candidates": candidates or width,
        "inner_hits": best_passage(),
    }
    if query.clause is not None:
        knn["filter"] = query.clause
    if oversample is not None:
        knn["rescore_vector"] = {"oversample": oversample}
    return {
        "size": query.k,
        "_source": DOCUMENT_FIELDS,
        "knn": knn,
        "sort": BEST_FIRST,
        "track_total_hits": False,
    }
