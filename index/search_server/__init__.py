"""Store in a search server: everything that OpenSearch and Elasticsearch have in common."""
