"""Proxy in front of OpenSearch or Elasticsearch that forwards every request and reranks searches."""
