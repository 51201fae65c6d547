"""OpenSearch as a search server: its version, mapping and search of vectors (k-NN plugin)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opensearchpy import OpenSearch as OpenSearchApi

from rerank.core.errors import StoreError
from rerank.core.protocols import IndexSpec
from rerank.index.search_server.mapping import VECTOR
from rerank.index.search_server.product import Hit, Search, VectorQuery
from rerank.index.search_server.queries import BEST_FIRST, DOCUMENT_FIELDS, best_passage, graph_k
from rerank.index.search_server.server_info import ServerInfo

OLDEST = (2, 11)
MAX_DIM = 16_000


class OpenSearch:
    """OpenSearch 2.11 or later. Raises StoreError for an earlier version."""

    name = "OpenSearch"
    refresh_interval = "1s"
    merges_segments = True

    def __init__(self, info: ServerInfo) -> None:
        if info.release is not None and info.release < OLDEST:
            raise StoreError(f"OpenSearch must have version 2.11 or later, got {info.version}. Upgrade the server.")

    def check(self, api: OpenSearchApi, name: str, spec: IndexSpec) -> None:  # noqa: ARG002  # the protocol's signature
        """Raises StoreError if the vectors are too long."""
        if spec.encoder.dim > MAX_DIM:
            raise StoreError(
                f"Vectors on OpenSearch must have at most {MAX_DIM:,} dimensions, got {spec.encoder.dim:,}. "
                "Use another encoder."
            )

    def index_settings(self) -> dict[str, Any]:
        """Returns the settings of one shard, with a copy if the cluster has a second node."""
        return {
            "knn": True,
            "number_of_shards": 1,
            "auto_expand_replicas": "0-1",
            "max_inner_result_window": 10_000,
        }

    def vector_property(self, spec: IndexSpec) -> dict[str, Any]:
        """Returns a vector field with an HNSW graph of the engine in *spec*."""
        return {
            "type": "knn_vector",
            "dimension": spec.encoder.dim,
            "method": {
                "name": "hnsw",
                "engine": spec.engine,
                "space_type": "cosinesimil",
                "parameters": {"m": 16, "ef_construction": 128},
            },
        }

    def nearest(self, search: Search, query: VectorQuery) -> Sequence[Hit]:
        """Returns the nearest documents by the vector graph, or by a script if the search is exact."""
        response = search(knn_query(query))
        hits: Sequence[Hit] = response["hits"]["hits"]
        return hits


def knn_query(query: VectorQuery) -> dict[str, Any]:
    """Returns the search body of *query*."""
    condition: dict[str, Any]
    if query.exact:
        script = {
            "source": "knn_score",
            "lang": "knn",
            "params": {"field": VECTOR, "query_value": query.vector.tolist(), "space_type": "cosinesimil"},
        }
        condition = {"script_score": {"query": {"match_all": {}}, "script": script}}
    else:
        # This k also sets the width of the graph search: some servers and engines lack `ef_search`.
        knn: dict[str, Any] = {"vector": query.vector.tolist(), "k": graph_k(query.k)}
        if query.clause is not None:
            knn["filter"] = query.clause
        condition = {"knn": {VECTOR: knn}}
    nested: dict[str, Any] = {
        "nested": {"path": "passages", "score_mode": "max", "query": condition, "inner_hits": best_passage()}
    }
    if query.exact and query.clause is not None:
        nested = {"bool": {"must": [nested], "filter": [query.clause]}}
    return {
        "size": query.k,
        "_source": DOCUMENT_FIELDS,
        "query": nested,
        "sort": BEST_FIRST,
        "track_total_hits": False,
    }
