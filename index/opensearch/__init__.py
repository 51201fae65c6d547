"""Indexes in an OpenSearch: for more documents than one machine serves, or where one runs already."""

from rerank.index.opensearch.store import OpenSearchStore

__all__ = ["OpenSearchStore"]
