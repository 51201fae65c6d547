"""Elasticsearch as a search server: its version, mapping and search of vectors (`dense_vector`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opensearchpy import OpenSearch as Api

from rerank.core.errors import StoreError
from rerank.core.protocols import IndexSpec
from rerank.index.elasticsearch.exact_search import exact_hits
from rerank.index.elasticsearch.privileges import check_privileges
from rerank.index.elasticsearch.vector_kinds import VECTOR_KINDS
from rerank.index.elasticsearch.vector_query import knn_body
from rerank.index.search_server.product import Hit, Search, VectorQuery
from rerank.index.search_server.server_info import ServerInfo

OLDEST = (8, 12)
RESCORING_SINCE = (8, 18)
MAX_DIM = 4096


class Elasticsearch:
    """Elasticsearch 8.12 or later. Raises StoreError for an earlier or an unknown version."""

    name = "Elasticsearch"

    def __init__(self, info: ServerInfo) -> None:
        if info.release is None:
            raise StoreError("Elasticsearch did not return its version. Grant the user the cluster privilege monitor.")
        # Serverless always runs the latest version, so the number that it reports does not matter.
        if info.release < OLDEST and not info.serverless:
            raise StoreError(f"Elasticsearch must have version 8.12 or later, got {info.version}. Upgrade the server.")
        self._info, self._release = info, info.release
        self._rescores = info.serverless or self._release >= RESCORING_SINCE
        self._serverless = info.serverless
        self.refresh_interval = "5s" if info.serverless else "1s"
        self.merges_segments = not info.serverless

    def check(self, api: Api, name: str, spec: IndexSpec) -> None:
        """Raises StoreError for a vector index that the version lacks, wrong dimensions, and missing privileges."""
        kind = VECTOR_KINDS[spec.vector_index]
        if not self._serverless and self._release < kind.since:
            raise StoreError(
                f"vector_index {spec.vector_index} requires Elasticsearch {kind.since[0]}.{kind.since[1]} or later, "
                f"got {self._info.version}. Choose another vector_index, or upgrade the server."
            )
        kind.check_dimensions(spec.vector_index, spec.encoder.dim, maximum=MAX_DIM)
        check_privileges(api, name)

    def index_settings(self) -> dict[str, Any]:
        """Returns the settings of one shard with a copy on a second node. Serverless does not accept them."""
        return {} if self._serverless else {"number_of_shards": 1, "auto_expand_replicas": "0-1"}

    def vector_property(self, spec: IndexSpec) -> dict[str, Any]:
        """Returns a vector field with the vector index in *spec*."""
        return {
            "type": "dense_vector",
            "dims": spec.encoder.dim,
            "index": True,
            "similarity": "cosine",
            "index_options": VECTOR_KINDS[spec.vector_index].options(spec.vector_index),
        }

    def nearest(self, search: Search, query: VectorQuery) -> Sequence[Hit]:
        """Returns the nearest documents.

        The server keeps one passage per document before it rescores, so quantized vectors select that passage. Before
        8.18 it does not rescore, and the scores of quantized vectors are approximate.
        """
        oversample = VECTOR_KINDS[query.spec.vector_index].oversample if self._rescores else None
        if query.exact:
            return exact_hits(search, query, oversample=oversample)
        response = search(knn_body(query, oversample=oversample))
        hits: Sequence[Hit] = response["hits"]["hits"]
        return hits
