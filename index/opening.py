"""Opening of the store that the setting `store` names. Only the libraries of that store are imported."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from rerank.core.errors import SettingError
from rerank.core.protocols import Store

STORE_REQUESTS_PER_SEARCH = 2
"""A hybrid search sends its vector query and its text query at the same time."""


def open_store(location: str, *, threads: int = 16) -> Store:
    """Returns the OpenSearch store at *location*, `http(s)://…`, or the embedded store in the folder *location*.

    A missing folder is created. threads: number of concurrent searches. Raises StoreUnavailable for an unusable
    folder, and SettingError for an invalid address.
    """
    if urlsplit(location).scheme in ("http", "https"):
        from rerank.index.opensearch import OpenSearchStore

        return OpenSearchStore(location, connections=STORE_REQUESTS_PER_SEARCH * threads)
    if "://" in location:
        scheme = location.partition("://")[0]
        raise SettingError(
            f"the scheme of store must be http or https, got {scheme}. Correct the URL, or set a folder."
        )
    from rerank.index.embedded import EmbeddedStore

    return EmbeddedStore(Path(location))
