"""Vectors and versions of OpenSearch, and the plugin that calls this service."""
