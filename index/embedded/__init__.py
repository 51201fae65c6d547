"""Store in a local folder (LanceDB), without a server."""

from rerank.index.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
