"""Client of one OpenSearch cluster: address, connection pool, and the translation of opensearch-py's errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as OpenSearchConnectionError
from opensearchpy.exceptions import (
    ConnectionTimeout,
    NotFoundError,
    OpenSearchException,
    SerializationError,
    TransportError,
)

from rerank.core.errors import (
    IndexNotFound,
    SettingError,
    StoreAnswerInvalid,
    StoreError,
    StoreFull,
    StoreTimeout,
    StoreUnavailable,
)

DEFAULT_CONNECTIONS = 32
"""Two for each of the 16 threads of the service by default."""

_DISK_FULL = ("disk_usage_exceeded", "flood-stage", "flood stage", "FORBIDDEN/12", "No space left on device")
_CHECK_ADDRESS = "Check that the setting store is the URL of an OpenSearch server."


class OpenSearchClient:
    """Thread-safe client of the OpenSearch server at `http(s)://[user:password@]host:port`.

    connections: number of connections to keep open for concurrent requests. timeout: seconds. Raises SettingError for
    an invalid address.
    """

    def __init__(self, location: str, *, connections: int = DEFAULT_CONNECTIONS, timeout: float = 30.0) -> None:
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
        self._api = OpenSearch(
            hosts=[
                {
                    "host": parts.hostname,
                    "port": port,
                    "use_ssl": parts.scheme == "https",
                    "url_prefix": parts.path.rstrip("/"),
                }
            ],
            http_auth=(unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
            timeout=timeout,
            pool_maxsize=connections,
            max_retries=1,
            retry_on_status=(),
        )

    def __repr__(self) -> str:
        return f"OpenSearchClient({self.address})"

    @contextmanager
    def request(self, action: str) -> Iterator[OpenSearch]:
        """Yields the opensearch-py client; its errors become StoreError or IndexNotFound.

        *action* completes "OpenSearch failed while ...", for example `creating index "docs"`.
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
            return StoreTimeout(
                f"OpenSearch at {self.address} timed out while {action}. Retry, or check the load of the cluster."
            )
        if isinstance(error, OpenSearchConnectionError):
            return StoreUnavailable(
                f"cannot connect to OpenSearch at {self.address} ({_cause(error)}). Start OpenSearch, or correct the "
                "setting store."
            )
        if isinstance(error, SerializationError):
            return StoreAnswerInvalid(f"{self.address} did not return JSON while {action}. {_CHECK_ADDRESS}")
        if isinstance(error, TransportError) and isinstance(error.status_code, int):
            return self._translated_status(error, error.status_code, action)
        return StoreError(f"OpenSearch at {self.address} failed while {action}: {error}.")

    def _translated_status(self, error: TransportError, status: int, action: str) -> StoreError | IndexNotFound:
        reason = reason_of(error.info) or str(error.error)
        if is_disk_full(reason):
            return self.disk_full(reason)
        if isinstance(error, NotFoundError) and "no such index" in reason:
            return IndexNotFound(f"OpenSearch at {self.address}: {reason}.")
        if status in (401, 403):
            return StoreError(
                f"OpenSearch at {self.address} denied access while {action}: {status} {reason}. "
                "Set store to http(s)://user:password@host:port with a user that has the permission."
            )
        if status in (429, 502, 503):
            return StoreUnavailable(
                f"OpenSearch at {self.address} is overloaded or still starting: {status} {reason}. Retry later."
            )
        if status == 504:
            return StoreTimeout(f"OpenSearch at {self.address} timed out while {action}: {reason}.")
        return StoreError(f"OpenSearch at {self.address} refused a request while {action}: {status} {reason}.")

    def disk_full(self, reason: str) -> StoreFull:
        """Returns the error for a cluster without disk space."""
        return StoreFull(
            f"OpenSearch at {self.address} has no disk space left ({reason}). Free disk space on its nodes."
        )


def reason_of(info: object) -> str:
    """Returns the innermost reason in an OpenSearch error body; empty if the body has none."""
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
    """Returns True if OpenSearch's *reason* is a lack of disk space."""
    return any(phrase in reason for phrase in _DISK_FULL)


def _cause(error: OpenSearchConnectionError) -> str:
    return type(error.info).__name__ if isinstance(error.info, Exception) else "no response"


def _without_password(location: str) -> str:
    return location.rpartition("@")[2]
