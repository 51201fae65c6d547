"""The server, by pooled connections."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from rerank.core.errors import StoreAnswerInvalid, StoreUnavailable
from rerank.service.proxy.address import Address
from rerank.service.proxy.connection import Connection, Exchange
from rerank.service.proxy.response_head import ResponseHead

CONNECT_SECONDS = 5.0
IDLE_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer. The body must be read to its end, or the answer closed."""

    head: ResponseHead
    _connection: Connection
    _upstream: Upstream

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces. Raises StoreTimeout, StoreUnavailable and StoreAnswerInvalid."""
        return self._connection.body()

    def read(self, limit: int | None = None) -> bytes:
        """The whole body; the connection goes back. Raises StoreAnswerInvalid for one of more than *limit* bytes."""
        pieces, size = [], 0
        try:
            for piece in self:
                pieces.append(piece)
                size += len(piece)
                if limit is not None and size > limit:
                    raise StoreAnswerInvalid(f"OpenSearch's answer has more than {limit >> 20} MB")
        finally:
            self.close()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def complete(self) -> bool:
        """Whether the whole body is at hand already."""
        return self._connection.complete

    def close(self) -> None:
        """Give the connection back, or end it when the answer was not read to its end."""
        self._upstream.release(self._connection)


class Upstream:
    """The server at *address*. Safe for threads; connections are made as they are needed, and kept."""

    def __init__(self, address: Address, *, timeout: float) -> None:
        self.address = address
        self._timeout = timeout
        self._idle: deque[Connection] = deque()
        self._tls = ssl.create_default_context() if address.scheme == "https" else None

    def ask(self, exchange: Exchange) -> Answer:
        """The server's answer, once its head is there.

        A kept connection that the server has closed meanwhile is replaced; a request that may have reached it is
        sent again only when that does no harm. Raises StoreUnavailable, StoreTimeout,
        StoreAnswerInvalid, and ClientGone.
        """
        connection = self._kept()
        if connection is not None:
            try:
                return self._asked(connection, exchange)
            except StoreUnavailable:
                if not exchange.repeatable:
                    raise
        return self._asked(self._connect(), exchange)

    def release(self, connection: Connection) -> None:
        """Keep *connection* for the next request, or close it when none may follow."""
        if connection.reusable and len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the kept connections."""
        while self._idle:
            self._idle.pop().close()

    def _asked(self, connection: Connection, exchange: Exchange) -> Answer:
        try:
            return Answer(connection.ask(exchange), connection, self)
        except BaseException:
            connection.close()
            raise

    def _kept(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.alive:
                return connection
            connection.close()

    def _connect(self) -> Connection:
        address = self.address
        try:
            sock = socket.create_connection((address.host, address.port), timeout=CONNECT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=address.host)
        except OSError as exc:
            raise StoreUnavailable(
                f"OpenSearch at {address} cannot be reached ({exc}); start it, or set the store's address"
            ) from exc
        return Connection(sock, timeout=self._timeout)
