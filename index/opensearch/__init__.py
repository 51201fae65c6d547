"""Store in an OpenSearch cluster: for a cluster that runs already, or for more documents than one machine can hold."""

from rerank.index.opensearch.store import OpenSearchStore

__all__ = ["OpenSearchStore"]
