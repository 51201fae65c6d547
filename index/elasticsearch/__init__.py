"""Vectors, versions and privileges of Elasticsearch."""
