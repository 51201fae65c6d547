"""Opening of the store that the setting `store` names. Only the libraries of that store are imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rerank.core.errors import SettingError
from rerank.core.protocols import Store

if TYPE_CHECKING:
    from rerank.index.search_server.product import Product
    from rerank.index.search_server.server_info import ServerInfo

STORE_REQUESTS_PER_SEARCH = 2
"""A hybrid search sends its vector query and its text query at the same time."""


def open_store(location: str, *, threads: int = 16, api_key: str | None = None, ca_file: str | None = None) -> Store:
    """Returns the store on the search server at *location*, `http(s)://…`, or the embedded store in that folder.

    The server itself determines whether it is OpenSearch or Elasticsearch. A missing folder is created. threads: number
    of concurrent searches. api_key: key of the server, which replaces user and password. ca_file: file with the
    certificates of trusted authorities. Raises StoreUnavailable for an unusable folder, and SettingError for an invalid
    address.
    """
    if urlsplit(location).scheme in ("http", "https"):
        from rerank.index.search_server.client import Credentials, SearchServerClient
        from rerank.index.search_server.store import SearchServerStore

        connections = STORE_REQUESTS_PER_SEARCH * threads
        credentials = Credentials(api_key, ca_file)
        client = SearchServerClient(location, connections=connections, credentials=credentials)
        return SearchServerStore(client, product_of=product_of)
    if "://" in location:
        scheme = location.partition("://")[0]
        raise SettingError(
            f"the scheme of store must be http or https, got {scheme}. Correct the URL, or set a folder."
        )
    from rerank.index.embedded import EmbeddedStore

    return EmbeddedStore(Path(location))


def product_of(info: ServerInfo) -> Product:
    """Returns the product of a search server. Raises StoreError if its version is too old."""
    if info.product == "Elasticsearch":
        from rerank.index.elasticsearch.product import Elasticsearch

        return Elasticsearch(info)
    from rerank.index.opensearch.product import OpenSearch

    return OpenSearch(info)


def repair_store(location: str) -> tuple[str, ...] | None:
    """Repairs the catalog of the embedded store in the folder *location*; no table is deleted.

    Returns one line per table that the repaired catalog leaves out, with the reason; None for a search server, which
    repairs itself. Raises StoreError if the catalog cannot be repaired.
    """
    if urlsplit(location).scheme in ("http", "https"):
        return None
    from rerank.index.embedded import EmbeddedStore

    return EmbeddedStore(Path(location)).repair().left_out
