"""Stub of Elasticsearch 9 with its documented bodies, headers and errors, for tests without a real server."""
