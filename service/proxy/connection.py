"""One connection to the server, which carries one request and its response at a time."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from rerank.core.errors import StoreError, StoreTimeout, StoreUnavailable
from rerank.service.client_connection import Client
from rerank.service.proxy.response_head import ResponseHead, ResponseParser

CHUNK_BYTES = 64 * 1024
"""Bytes per read. Larger buffers exceed malloc's mmap threshold, so each one would cost a system call."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ClientDisconnected(ConnectionResetError):
    """Error for a client that closed its connection before it received the response."""


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request to the server: its head, and its body already framed as `first` and the chunks of `rest`.

    `client` is the client's socket, if known. If the client closes it, the wait for the response ends.
    """

    method: str
    head: bytes
    first: bytes = b""
    rest: Iterator[bytes] | None = None
    client: socket.socket | None = None

    @property
    def repeatable(self) -> bool:
        """True if the proxy may send the request twice."""
        return self.method in _SAFE_METHODS and self.rest is None


class Connection:
    """A connection for one thread at a time. *timeout* in seconds limits each wait for the server."""

    def __init__(self, sock: socket.socket, *, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._parser = ResponseParser("GET")
        self._request_complete = True
        sock.settimeout(timeout)

    def send(self, request: OutgoingRequest) -> ResponseHead:
        """Sends *request* and returns the head of the response.

        Raises StoreUnavailable if the server closes the connection before it responds, StoreTimeout,
        StoreAnswerInvalid, and ClientDisconnected.
        """
        self._parser = parser = ResponseParser(request.method)
        try:
            self._write(request)
            self._wait(request.client)
            while parser.head is None:
                parser.feed(self._receive(first=True))
        except TimeoutError as exc:
            raise self._timeout_error() from exc
        except ClientDisconnected:
            raise
        except OSError as exc:
            raise StoreUnavailable(
                f"OpenSearch closed the connection before it responded ({exc}). Check the OpenSearch log, then retry."
            ) from exc
        return parser.head

    def body(self) -> Iterator[bytes]:
        """Yields the body of the response as it arrives.

        Raises StoreTimeout, StoreUnavailable and StoreAnswerInvalid.
        """
        parser = self._parser
        while True:
            if parser.pieces:
                yield parser.take()
            if parser.complete:
                return
            try:
                parser.feed(self._receive())
            except TimeoutError as exc:
                raise self._timeout_error() from exc
            except OSError as exc:
                raise StoreUnavailable(
                    f"the connection to OpenSearch failed in the middle of a response ({exc}). Retry the request."
                ) from exc

    @property
    def complete(self) -> bool:
        """True if the whole response has arrived."""
        return self._parser.complete

    @property
    def reusable(self) -> bool:
        """True if the connection can carry another request."""
        return self._request_complete and self._parser.reusable

    @property
    def alive(self) -> bool:
        """True if the idle connection is open. Unexpected data or its end would make it readable."""
        readable = select.poll()
        readable.register(self._sock, select.POLLIN)
        return not readable.poll(0)

    def close(self) -> None:
        """Closes the connection, which makes the server cancel a request in progress."""
        self._sock.close()

    def interrupt(self) -> None:
        """Interrupts the request of another thread, which gets an error and closes the connection."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _write(self, request: OutgoingRequest) -> None:
        self._request_complete = False
        try:
            self._sock.sendall(request.head + request.first)
            for chunk in request.rest or ():
                self._sock.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError) as exc:
            if isinstance(exc, ClientDisconnected):
                raise
            # The server may refuse a long body before its end. Its response then gives the reason.
            return
        self._request_complete = True

    def _wait(self, client: socket.socket | None) -> None:
        """Waits until the server responds. Raises ClientDisconnected if the client disconnects first."""
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
                raise ClientDisconnected(errno.ECONNRESET, "the client disconnected before the response")
            # The client is connected and has already sent its next request, so its socket stays readable.
            poll.unregister(client)

    def _receive(self, *, first: bool = False) -> bytes:
        data = self._sock.recv(CHUNK_BYTES)
        if first and not data and not self._parser.started:
            raise ConnectionResetError("no response")
        return data

    def _timeout_error(self) -> StoreError:
        return StoreTimeout(
            f"OpenSearch did not respond within {self._timeout:g} seconds. Check its load, or raise proxy_timeout_s."
        )
