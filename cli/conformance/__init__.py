"""Conformance of a rerank or embedding server to the APIs of its clients."""
