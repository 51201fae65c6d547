"""The server: one pooled connection, and the one place where its errors become ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    ConnectionError as ServerConnectionError,
)
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

CONNECTIONS = 32
"""More than the service has threads by default, so that none waits for a connection."""

_NO_SPACE = ("disk_usage_exceeded", "flood-stage", "flood stage", "FORBIDDEN/12", "No space left on device")


class Server:
    """An OpenSearch at `http(s)://[user:password@]host:port`. Safe for threads.

    Raises SettingError for an address that cannot be one.
    """

    def __init__(self, location: str, *, timeout: float = 30.0) -> None:
        parts = urlsplit(location)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 9200)
        except ValueError as exc:
            raise SettingError(f"store: the port of {_without_password(location)} is no number up to 65535") from exc
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingError(f"store: {_without_password(location)} is not http(s)://[user:password@]host:port")
        self.address = f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"
        user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self.client = OpenSearch(
            hosts=[
                {
                    "host": parts.hostname,
                    "port": port,
                    "use_ssl": parts.scheme == "https",
                    "url_prefix": parts.path.rstrip("/"),
                }
            ],
            http_auth=user,
            timeout=timeout,
            maxsize=CONNECTIONS,
            max_retries=1,
            retry_on_status=(),
        )

    def __repr__(self) -> str:
        return f"Server({self.address})"

    @contextmanager
    def asking(self, what: str) -> Iterator[OpenSearch]:
        """The client, for one step; an error in it becomes one of ours, saying *what* was asked for."""
        try:
            yield self.client
        except OpenSearchException as exc:
            raise self._translated(exc, what) from exc
        except (KeyError, TypeError, IndexError) as exc:
            raise StoreAnswerInvalid(
                f"{self.address} gave an answer to {what} that no OpenSearch gives ({type(exc).__name__}: {exc}); "
                "check that the store's address leads to an OpenSearch"
            ) from exc

    def close(self) -> None:
        """Drop the pooled connections."""
        self.client.close()

    def _translated(self, error: OpenSearchException, what: str) -> StoreError | IndexNotFound:
        if isinstance(error, ConnectionTimeout):
            return StoreTimeout(
                f"OpenSearch at {self.address} took too long over {what}; try again, or look at its load"
            )
        if isinstance(error, ServerConnectionError):
            return StoreUnavailable(
                f"OpenSearch at {self.address} cannot be reached ({_cause(error)}); "
                "start it, or set the store's address"
            )
        if isinstance(error, SerializationError):
            return StoreAnswerInvalid(
                f"{self.address} answered {what} with something that is not JSON; "
                "check that the store's address leads to an OpenSearch"
            )
        if isinstance(error, TransportError) and isinstance(error.status_code, int):
            return self._by_status(error, int(error.status_code), what)
        return StoreError(f"OpenSearch at {self.address} failed at {what}: {error}")

    def _by_status(self, error: TransportError, status: int, what: str) -> StoreError | IndexNotFound:
        reason = reason_of(error.info) or str(error.error)
        if is_full(reason):
            return StoreFull(f"OpenSearch at {self.address} has no space left ({reason}); free disk space on its nodes")
        if isinstance(error, NotFoundError) and "no such index" in reason:
            return IndexNotFound(f"OpenSearch at {self.address}: {reason}")
        if status in (401, 403):
            return StoreError(
                f"OpenSearch at {self.address} refuses {what} ({status}: {reason}); "
                "set the store as http(s)://user:password@host:port, with a user that may do it"
            )
        if status == 429 or status in (502, 503):
            return StoreUnavailable(f"OpenSearch at {self.address} is overloaded or starting ({status}: {reason})")
        if status == 504:
            return StoreTimeout(f"OpenSearch at {self.address} took too long over {what} ({reason})")
        return StoreError(f"OpenSearch at {self.address} refuses {what} ({status}: {reason})")


def reason_of(info: object) -> str:
    """The sentence in an error body of OpenSearch's; empty when there is none."""
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


def is_full(reason: str) -> bool:
    """Whether OpenSearch's *reason* is a lack of disk space."""
    return any(sign in reason for sign in _NO_SPACE)


def _cause(error: ServerConnectionError) -> str:
    return type(error.info).__name__ if isinstance(error.info, Exception) else "no connection"


def _without_password(location: str) -> str:
    return location.rpartition("@")[2]
