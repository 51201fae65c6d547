"""Store in an OpenSearch cluster, for an existing cluster or for more documents than one machine can store."""

from rerank.index.search_server.store import OpenSearchStore

__all__ = ["OpenSearchStore"]
