"""Connection pool to the server behind the proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from rerank.core.errors import StoreAnswerInvalid, StoreUnavailable
from rerank.core.tls import tls_context
from rerank.service.proxy.address import Address
from rerank.service.proxy.connection import Connection, OutgoingRequest
from rerank.service.proxy.response_head import ResponseHead

CONNECT_SECONDS = 5.0
MAX_IDLE_CONNECTIONS = 64
RECEIVE_BUFFER_BYTES = 256 * 1024
"""Size of a connection's receive buffer. The default grows to 6 MB for each client that does not read its response."""


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A response of the server. The caller must read the body to its end or call close()."""

    head: ResponseHead
    _connection: Connection
    _upstream: Upstream

    def __iter__(self) -> Iterator[bytes]:
        """Yields the body as it arrives. Raises StoreTimeout, StoreUnavailable and StoreAnswerInvalid."""
        return self._connection.body()

    def read(self, limit: int | None = None) -> bytes:
        """Returns the whole body and releases the connection. Raises StoreAnswerInvalid above *limit* bytes."""
        pieces, size = [], 0
        try:
            for piece in self:
                pieces.append(piece)
                size += len(piece)
                if limit is not None and size > limit:
                    raise StoreAnswerInvalid(
                        f"the response of OpenSearch must be at most {limit >> 20} MB. Request fewer hits or fields."
                    )
        finally:
            self.close()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def complete(self) -> bool:
        """True if the whole body has arrived."""
        return self._connection.complete

    def close(self) -> None:
        """Returns the connection to the pool, or closes it if part of the body is unread."""
        self._upstream.release(self._connection)


class Upstream:
    """Thread-safe pool of connections to the server at *address*. *timeout* in seconds limits each wait.

    ca_file: file with the certificates of trusted authorities; by default those of the system. Raises SettingError if
    it is invalid.
    """

    def __init__(self, address: Address, *, timeout: float, ca_file: str | None = None) -> None:
        self.address = address
        self._timeout = timeout
        self._tls = tls_context(ca_file) if address.scheme == "https" else None
        self._lock = threading.Lock()
        self._closed = False
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []

    def send(self, request: OutgoingRequest) -> UpstreamResponse:
        """Sends *request* and returns the response once its head has arrived.

        A pooled connection that the server has closed is replaced. If the server may already have received the
        request, it is sent again only if it is repeatable. Raises StoreUnavailable, StoreTimeout,
        StoreAnswerInvalid, and ClientDisconnected.
        """
        connection = self._take_idle()
        if connection is not None:
            try:
                return self._send_on(connection, request)
            except StoreUnavailable:
                if not request.repeatable:
                    raise
        return self._send_on(self._connect(), request)

    def release(self, connection: Connection) -> None:
        """Returns *connection* to the pool, or closes it if it cannot carry another request."""
        with self._lock:
            keep = not self._closed and connection.reusable and len(self._idle) < MAX_IDLE_CONNECTIONS
            if keep:
                self._idle.append(connection)
        if not keep:
            self._discard(connection)

    def close(self) -> None:
        """Closes the idle connections and interrupts the busy ones. Later requests fail with StoreUnavailable."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._open.difference(idle)
        for connection in idle:
            self._discard(connection)
        for connection in busy:
            connection.interrupt()

    def _send_on(self, connection: Connection, request: OutgoingRequest) -> UpstreamResponse:
        try:
            return UpstreamResponse(connection.send(request), connection, self)
        except BaseException:
            self._discard(connection)
            raise

    def _take_idle(self) -> Connection | None:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or connection.alive:
                return connection
            self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _connect(self) -> Connection:
        address = self.address
        try:
            sock = socket.create_connection((address.host, address.port), timeout=CONNECT_SECONDS)
        except OSError as exc:
            raise self._unreachable(exc) from exc
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=address.host)
        except OSError as exc:
            sock.close()
            raise self._unreachable(exc) from exc
        connection = Connection(sock, timeout=self._timeout)
        with self._lock:
            if not self._closed:
                self._open.add(connection)
                return connection
        connection.close()
        raise StoreUnavailable("the service is shutting down. Retry the request.")

    def _unreachable(self, cause: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"cannot connect to OpenSearch at {self.address} ({cause}). Start OpenSearch, or correct the setting store."
        )
