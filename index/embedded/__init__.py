"""Indexes in a folder of this machine: no server."""

from rerank.index.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
