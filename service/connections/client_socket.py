"""Sockets of clients, which wait for their client no longer than a deadline allows."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import ParseException

MIN_BYTES_PER_SECOND = 8_000
"""Rate at which sent and received bytes extend a deadline. A client below this rate for long is disconnected."""


class RequestTimeout(ParseException):  # type: ignore[misc]  # gunicorn has no type hints
    """Error for a client that does not send a complete request in time."""

    def __str__(self) -> str:
        return (
            f"the complete request must arrive within client_timeout_s plus 1 second per {MIN_BYTES_PER_SECOND} bytes. "
            "Send it without pauses."
        )


class ClientDeadline:
    """Time that one request may still wait for its client: at most *seconds*. Each transferred byte gives time back."""

    def __init__(self, seconds: float) -> None:
        self._seconds = self._remaining = seconds

    def transferred(self, size: int) -> None:
        """Gives back the time for *size* transferred bytes."""
        self._remaining = min(self._remaining + size / MIN_BYTES_PER_SECOND, self._seconds)

    def wait(self, number: int, event: int) -> bool:
        """Waits until the file descriptor *number* is ready for *event*. Returns False if the deadline passes first."""
        poll = select.poll()
        poll.register(number, event)
        started = time.monotonic()
        ready = poll.poll(self._remaining * 1000)
        self._remaining = max(self._remaining - (time.monotonic() - started), 0.0)
        return bool(ready)


class _Deadlines(socket.socket):
    """Socket that never blocks. `receive` and `sendall` wait for the client within a deadline per request."""

    def begin_request(self, seconds: float) -> None:
        """Starts the deadlines of a request: *seconds* for reading its rest, and *seconds* for its response."""
        self._reading, self._writing = ClientDeadline(seconds), ClientDeadline(seconds)

    def setblocking(self, flag: bool) -> None:  # noqa: ARG002
        """Keeps the socket non-blocking. gunicorn requests a blocking one for its threads, which poll here."""
        if self.gettimeout() != 0:
            super().setblocking(False)

    def settimeout(self, value: float | None) -> None:  # noqa: ARG002
        """Keeps the socket non-blocking, see setblocking."""
        self.setblocking(False)

    def receive(self, size: int) -> bytes:
        """Returns at most *size* bytes, or b"" at the end. Raises RequestTimeout when the deadline has passed."""
        data: bytes = self._transfer(lambda: self.recv(size), self._reading, select.POLLIN)
        self._reading.transferred(len(data))
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Sends *data*. Raises ConnectionResetError when the deadline has passed."""
        rest = memoryview(data)
        while rest:
            try:
                sent: int = self._transfer(lambda: self.send(rest, flags), self._writing, select.POLLOUT)  # noqa: B023
            except RequestTimeout as exc:
                raise ConnectionResetError(errno.ECONNRESET, "the client does not read its response") from exc
            self._writing.transferred(sent)
            rest = rest[sent:]

    def _transfer(self, operation: Callable[[], Any], deadline: ClientDeadline, event: int) -> Any:
        while True:
            try:
                return operation()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as exc:
                awaited = _event(exc, event)
            if not deadline.wait(self.fileno(), awaited):
                raise RequestTimeout


class ClientSocket(_Deadlines):
    """Plain socket of a client."""

    @classmethod
    def adopt(cls, accepted: socket.socket) -> ClientSocket:
        """Returns the socket of the connection *accepted*, which becomes unusable."""
        accepted.setblocking(False)
        return cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())


class TlsClientSocket(_Deadlines, ssl.SSLSocket):
    """Socket of a client with TLS."""

    def handshake(self) -> None:
        """Completes the handshake. Raises RequestTimeout when the deadline has passed, and ssl.SSLError."""
        self._transfer(self.do_handshake, self._reading, select.POLLIN)


def _event(error: Exception, default: int) -> int:
    if isinstance(error, ssl.SSLWantReadError):
        return select.POLLIN
    return select.POLLOUT if isinstance(error, ssl.SSLWantWriteError) else default
