"""Client of one search server: address, connection pool, product, and the translation of opensearch-py's errors.

opensearch-py serves Elasticsearch 8 and 9, too. It sends plain JSON, which both versions accept, and does not check the
product. The official client of Elasticsearch refuses every server of an earlier major version and OpenSearch, so that
it would be a second client with a second translation of errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    AuthorizationException,
    ConnectionTimeout,
    NotFoundError,
    OpenSearchException,
    SerializationError,
    TransportError,
)
from opensearchpy.exceptions import ConnectionError as OpenSearchConnectionError

from rerank.core.errors import (
    IndexNotFound,
    SettingError,
    StoreAnswerInvalid,
    StoreError,
    StoreFull,
    StoreTimeout,
    StoreUnavailable,
)
from rerank.core.tls import tls_context
from rerank.index.search_server.server_info import ServerInfo, server_info

DEFAULT_CONNECTIONS = 32
"""Two for each of the 16 threads of the service by default."""

_DISK_FULL = ("disk_usage_exceeded", "flood-stage", "flood stage", "FORBIDDEN/12", "No space left on device")
_CHECK_ADDRESS = "Check that the setting store is the URL of a search server."


@dataclass(frozen=True)
class Credentials:
    """API key that replaces user and password, and a file with the certificates of trusted authorities (PEM)."""

    api_key: str | None = None
    ca_file: str | None = None


NO_CREDENTIALS = Credentials()


class SearchServerClient:
    """Thread-safe client of the search server at `http(s)://[user:password@]host:port`.

    connections: number of connections to keep open for concurrent requests. timeout: seconds. Raises SettingError for
    an invalid address or certificate file.
    """

    def __init__(
        self,
        location: str,
        *,
        connections: int = DEFAULT_CONNECTIONS,
        timeout: float = 30.0,
        credentials: Credentials = NO_CREDENTIALS,
    ) -> None:
        parts = urlsplit(location)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 9200)
        except ValueError as exc:
            raise SettingError(
                f"store: the port must be between 1 and 65535, got {_without_password(location)}."
            ) from exc
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingError(
                f"store must be http(s)://[user:password@]host:port or a folder, got {_without_password(location)}."
            )
        self.address = f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"
        self._info: ServerInfo | None = None
        self._api = OpenSearch(
            hosts=[
                {
                    "host": parts.hostname,
                    "port": port,
                    "use_ssl": parts.scheme == "https",
                    "url_prefix": parts.path.rstrip("/"),
                }
            ],
            timeout=timeout,
            pool_maxsize=connections,
            max_retries=1,
            retry_on_status=(),
            **_authentication(parts, credentials),
        )

    @property
    def server(self) -> str:
        """Product and address, for messages. The product is known after the first call of `info`."""
        return f"{self._info.product if self._info else 'the search server'} at {self.address}"

    def info(self) -> ServerInfo:
        """Returns the server's product and version, which are requested once.

        Raises StoreAnswerInvalid for a server that is neither OpenSearch nor Elasticsearch.
        """
        if self._info is None:
            with self.request("checking the version") as api:
                try:
                    info = server_info(api.info())
                except AuthorizationException as exc:
                    info = _info_without_permission(reason_of(exc.info))
                    if info is None:
                        raise
            if info is None:
                raise StoreAnswerInvalid(
                    f"The server at {self.address} is neither OpenSearch nor Elasticsearch. Correct the setting store."
                )
            self._info = info
        return self._info

    def __repr__(self) -> str:
        return f"SearchServerClient({self.address})"

    @contextmanager
    def request(self, action: str) -> Iterator[OpenSearch]:
        """Yields the opensearch-py client; its errors become StoreError or IndexNotFound.

        *action* completes "the server failed while ...", for example `creating index "docs"`.
        """
        try:
            yield self._api
        except OpenSearchException as exc:
            raise self._translated(exc, action) from exc
        except (KeyError, TypeError, IndexError) as exc:
            raise StoreAnswerInvalid(
                f"{self.address} returned an unexpected response while {action} ({type(exc).__name__}: {exc}). "
                f"{_CHECK_ADDRESS}"
            ) from exc

    def close(self) -> None:
        """Closes the connections."""
        self._api.close()

    def _translated(self, error: OpenSearchException, action: str) -> StoreError | IndexNotFound:
        if isinstance(error, ConnectionTimeout):
            return StoreTimeout(f"{self.server} timed out while {action}. Retry, or check the load of the cluster.")
        if isinstance(error, OpenSearchConnectionError):
            return StoreUnavailable(
                f"cannot connect to {self.server} ({_cause(error)}). Start the server, or correct the setting store."
            )
        if isinstance(error, SerializationError):
            return StoreAnswerInvalid(f"{self.address} did not return JSON while {action}. {_CHECK_ADDRESS}")
        if isinstance(error, TransportError) and isinstance(error.status_code, int):
            return self._translated_status(error, error.status_code, action)
        return StoreError(f"{self.server} failed while {action}: {error}.")

    def _translated_status(self, error: TransportError, status: int, action: str) -> StoreError | IndexNotFound:
        reason = reason_of(error.info) or str(error.error)
        if is_disk_full(reason):
            return self.disk_full(reason)
        if isinstance(error, NotFoundError) and "no such index" in reason:
            return IndexNotFound(f"{self.server}: {reason}.")
        if "license is" in reason:
            return StoreError(
                f"{self.server} refused a request while {action} because of its license: {status} {reason}. "
                "Renew the license of the server."
            )
        if "blocked by" in reason:
            return StoreError(
                f"{self.server} does not allow changes while {action}: {status} {reason}. "
                "Remove the block of the index or cluster."
            )
        if status in (401, 403):
            return StoreError(
                f"{self.server} denied access while {action}: {status} {reason}. "
                "Set store to http(s)://user:password@host:port, or set store_api_key, with a user that has the "
                "permission."
            )
        if status in (429, 502, 503):
            return StoreUnavailable(f"{self.server} is overloaded or still starting: {status} {reason}. Retry later.")
        if status == 504:
            return StoreTimeout(f"{self.server} timed out while {action}: {reason}.")
        return StoreError(f"{self.server} refused a request while {action}: {status} {reason}.")

    def disk_full(self, reason: str) -> StoreFull:
        """Returns the error for a cluster without disk space."""
        return StoreFull(f"{self.server} has no disk space left ({reason}). Free disk space on its nodes.")


def reason_of(info: object) -> str:
    """Returns the innermost reason in an error body of the server; empty if the body has none."""
    error = info.get("error") if isinstance(info, Mapping) else None
    if isinstance(error, str):
        return error
    if not isinstance(error, Mapping):
        return ""
    cause = error.get("root_cause")
    innermost: Any = error
    while isinstance(innermost.get("caused_by"), Mapping):
        innermost = innermost["caused_by"]
    if innermost is error and isinstance(cause, list) and cause and isinstance(cause[0], Mapping):
        innermost = cause[0]
    return str(innermost.get("reason") or error.get("reason") or error.get("type") or "")


def is_disk_full(reason: str) -> bool:
    """Returns True if the server's *reason* is a lack of disk space."""
    return any(phrase in reason for phrase in _DISK_FULL)


def _cause(error: OpenSearchConnectionError) -> str:
    return type(error.info).__name__ if isinstance(error.info, Exception) else "no response"


def _without_password(location: str) -> str:
    return location.rpartition("@")[2]


def _info_without_permission(reason: str) -> ServerInfo | None:
    """Returns the server whose user may not read its version. The two products explain that in different words."""
    if "is unauthorized for" in reason:
        return ServerInfo("Elasticsearch")
    return ServerInfo("OpenSearch") if "no permissions for" in reason else None


def _authentication(parts: SplitResult, credentials: Credentials) -> dict[str, Any]:
    """Returns the arguments of opensearch-py for user, password, API key and certificates."""
    arguments: dict[str, Any] = {}
    if credentials.api_key is not None:
        if parts.username:
            raise SettingError("store must have no user if store_api_key is set. Remove one of them.")
        arguments["headers"] = {"Authorization": f"ApiKey {credentials.api_key}"}
    elif parts.username:
        arguments["http_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    if credentials.ca_file is not None:
        arguments["ssl_context"] = tls_context(credentials.ca_file)
    return arguments
