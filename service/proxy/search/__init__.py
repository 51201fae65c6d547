"""Reranking of the searches that pass through the proxy."""
