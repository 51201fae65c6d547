"""Reranking for OpenSearch and Elasticsearch: retrieve with a bi-encoder, rerank with a cross-encoder."""
