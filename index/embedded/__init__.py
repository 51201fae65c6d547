"""Store in a local folder (LanceDB); needs no server."""

from rerank.index.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
