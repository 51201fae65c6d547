"""A connection of a client, with the bytes of its next request."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from gunicorn.http import get_parser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

from rerank.service.connections.client_socket import ClientSocket, TlsClientSocket

MAX_HEAD_BYTES = 64 * 1024
"""Bytes after which the parser checks an incomplete head, and refuses a too long line or field."""

_RECEIVED_BYTES = 16 * 1024

PROBES = (b"/health", b"/ready", b"/metrics", b"/.well-known/live", b"/.well-known/ready")
_HEAD_ENDS = (b"\r\n\r\n", b"\n\n")


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no type hints
    """A connection whose request heads arrive without a thread.

    `head` holds the received bytes of the next request. `deadline` is the time.monotonic() at which the worker closes
    the connection if the head is still incomplete.
    """

    initialized: bool

    def __init__(self, cfg: Any, accepted: socket.socket, client: Any, server: Any, tls: ssl.SSLContext | None) -> None:
        sock: ClientSocket | TlsClientSocket = ClientSocket.adopt(accepted)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)  # type: ignore[assignment]
        super().__init__(cfg, sock, client, server)
        self.head = bytearray()
        self.deadline = 0.0
        self.ended = False
        self._searched = 0
        self.data_ready = True  # gunicorn's own wait for the first bytes is not needed.
        self.encrypted = tls is not None

    def init(self) -> None:
        """Creates the parser at the first request."""
        if not self.initialized:
            self.initialized = True
            self.parser = get_parser(self.cfg, self.sock, self.client)
            self.parser.unreader = _Unreader(self.sock)

    def begin_request(self, seconds: float) -> None:
        """Moves the head to the parser, and starts the deadlines of the request."""
        self.init()
        self.sock.begin_request(seconds)
        self.parser.unreader.unread(bytes(self.head))
        self._clear()

    def end_request(self) -> None:
        """Takes back the bytes that the parser has read beyond the request."""
        self.head += self.parser.unreader.take_buffered()

    def receive(self) -> None:
        """Appends the bytes that have arrived to the head. Sets `ended` at the end of the stream or on an error."""
        try:
            while not self.head_complete:
                data = self.sock.recv(_RECEIVED_BYTES)
                self.head += data
                self.ended = not data
                # Only TLS keeps received bytes in its own buffer, which a poller does not see.
                if self.ended or not self.encrypted:
                    return
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self.ended = True

    @property
    def head_complete(self) -> bool:
        """True if the head has arrived completely, or is so long that the parser must check it."""
        if len(self.head) >= MAX_HEAD_BYTES:
            return True
        start = max(self._searched - 3, 0)
        self._searched = len(self.head)
        if any(self.head.find(end, start) >= 0 for end in _HEAD_ENDS):
            self._searched = start
            return True
        return False

    @property
    def is_probe(self) -> bool:
        """True if the next request is a probe, which is served even if the worker is full.

        The path may have a prefix, see the setting path_prefix.
        """
        words = bytes(self.head.partition(b"\r\n")[0]).split(b" ")
        return len(words) > 1 and words[1].partition(b"?")[0].endswith(PROBES)

    def _clear(self) -> None:
        self.head = bytearray()
        self._searched = 0


class _Unreader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no type hints
    """Reader of request bytes that waits within the deadline of the request."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Returns the next bytes, and b"" at the end."""
        size = max(self.mxchunk, min(size_hint or 0, self.max_body_chunk))
        data: bytes = self.sock.receive(size)
        return data
