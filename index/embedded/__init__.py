"""Indexes in a folder of this machine: no server."""

from index.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
