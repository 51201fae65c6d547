"""From the setting `store` to a store. A store's libraries are imported only when it is the one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from rerank.core.protocols import Store


def open_store(location: str) -> Store:
    """The embedded store in the folder *location*, or the OpenSearch at *location*, `http(s)://…`.

    A folder is made when it is missing. Raises StoreUnavailable for a folder that cannot be used, and SettingError
    for an address that cannot be one.
    """
    if urlsplit(location).scheme in ("http", "https"):
        from rerank.index.opensearch import OpenSearchStore

        return OpenSearchStore(location)
    from rerank.index.embedded import EmbeddedStore

    return EmbeddedStore(Path(location))
