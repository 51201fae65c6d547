"""One connection to the server, and the exchange of one request for one answer on it."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rerank.core.errors import StoreError, StoreTimeout, StoreUnavailable
from rerank.service.client_connection import Client
from rerank.service.proxy.response_head import ResponseHead, ResponseParser

PIECE_BYTES = 64 * 1024
"""Below what malloc maps anew for each buffer."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class ClientGone(ConnectionResetError):
    """The client closed its connection: nobody waits for the answer."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it goes out: its whole head, and its body, framed already: the first piece, and what follows.

    `client` is the client's socket where it is known: when it is closed, the wait for the answer ends.
    """

    method: str
    head: bytes
    first: bytes = b""
    rest: Iterator[bytes] | None = None
    client: socket.socket | None = None

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no harm."""
        return self.method in _SAFE and self.rest is None


class Connection:
    """A connection of its own; not safe for threads. *timeout* is in seconds, for each wait."""

    def __init__(self, sock: socket.socket, *, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._parser = ResponseParser("GET")
        self._whole_request = True
        sock.settimeout(timeout)

    def ask(self, exchange: Exchange) -> ResponseHead:
        """Send the request and wait for the head of its answer.

        Raises StoreUnavailable when the server closes before it answers, StoreTimeout, StoreAnswerInvalid, and
        ClientGone.
        """
        self._parser = parser = ResponseParser(exchange.method)
        try:
            self._send(exchange)
            self._wait(exchange.client)
            while parser.head is None:
                parser.feed(self._receive(first=True))
        except TimeoutError as exc:
            raise self._too_slow() from exc
        except ClientGone:
            raise
        except OSError as exc:
            raise StoreUnavailable(f"OpenSearch closed the connection before it answered ({exc})") from exc
        return parser.head

    def body(self) -> Iterator[bytes]:
        """The rest of the answer, in pieces as they come. Raises StoreTimeout and StoreAnswerInvalid."""
        parser = self._parser
        while True:
            if parser.pieces:
                yield parser.take()
            if parser.complete:
                return
            try:
                parser.feed(self._receive())
            except TimeoutError as exc:
                raise self._too_slow() from exc
            except OSError as exc:
                raise StoreUnavailable(
                    f"the connection to OpenSearch broke in the middle of an answer ({exc})"
                ) from exc

    @property
    def complete(self) -> bool:
        """Whether the answer has come whole."""
        return self._parser.complete

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended so that another one may follow."""
        return self._whole_request and self._parser.reusable

    @property
    def alive(self) -> bool:
        """Whether the server has kept it open: an idle connection has nothing to read, not even its end."""
        readable = select.poll()
        readable.register(self._sock, select.POLLIN)
        return not readable.poll(0)

    def close(self) -> None:
        """Hang up; the server stops what it was doing for us."""
        self._sock.close()

    def _send(self, exchange: Exchange) -> None:
        self._whole_request = False
        try:
            self._sock.sendall(exchange.head + exchange.first)
            for piece in exchange.rest or ():
                self._sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError) as exc:
            if isinstance(exc, ClientGone):
                raise
            # The server may have refused a long body before its end: its answer says why.
            return
        self._whole_request = True

    def _wait(self, client: socket.socket | None) -> None:
        """Until the server says something. Raises ClientGone when the client leaves first."""
        if client is None or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending()):
            return
        poll = select.poll()
        server = self._sock.fileno()
        poll.register(server, select.POLLIN)
        poll.register(client, select.POLLIN)
        deadline = time.monotonic() + self._timeout
        while True:
            ready = [number for number, _ in poll.poll(max(0, deadline - time.monotonic()) * 1000)]
            if server in ready:
                return
            if not ready:
                raise TimeoutError
            if Client(client).cancelled():
                raise ClientGone(errno.ECONNRESET, "the client left before its answer")
            # It has sent its next request already: it is there, and there is nothing more to watch for.
            poll.unregister(client)

    def _receive(self, *, first: bool = False) -> bytes:
        data = self._sock.recv(PIECE_BYTES)
        if first and not data and not self._parser.started:
            raise ConnectionResetError("closed without a word")
        return data

    def _too_slow(self) -> StoreError:
        return StoreTimeout(f"OpenSearch did not answer within {self._timeout:g} seconds; look at its load")
