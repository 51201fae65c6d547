"""Search body of the `knn` option."""

from __future__ import annotations

from typing import Any

from rerank.index.search_server.mapping import VECTOR
from rerank.index.search_server.product import VectorQuery
from rerank.index.search_server.queries import BEST_FIRST, DOCUMENT_FIELDS, best_passage, graph_k


def knn_body(query: VectorQuery, *, oversample: float | None, candidates: int | None = None) -> dict[str, Any]:
    """Returns the search body of *query*.

    oversample: multiple of the candidates to rescore with the full vectors, or None. candidates: number of candidates
    in the graph of each segment, by default a multiple of k.
    """
    # k equals num_candidates, so that documents with equal scores are all there when the ties are sorted by id.
    width = candidates or graph_k(query.k)
    knn: dict[str, Any] = {
        "field": VECTOR,
        "query_vector": query.vector.tolist(),
        "k": width,
        "num_candidates": width,
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
