"""Detection of clients that disconnect before their response."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from flask import Request

from rerank.core.protocols import Cancellation

_SOCKET = "gunicorn.socket"
"""WSGI cannot report a disconnected client; gunicorn exposes the socket in the environment."""


@dataclass(frozen=True)
class Client:
    """The connection of a client. A client that closes its sending side counts as disconnected, as in nginx."""

    connection: socket.socket

    def cancelled(self) -> bool:
        """Returns True once the client has disconnected. Peeks, so that a pipelined request stays in the buffer."""
        try:
            # The method of the base class, because a TLS socket cannot peek: the end of the TCP stream is visible too.
            return socket.socket.recv(self.connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def client_connection(request: Request) -> Cancellation | None:
    """Returns the connection that sent *request*; None if the server does not expose it."""
    connection = request.environ.get(_SOCKET)
    return Client(connection) if isinstance(connection, socket.socket) else None
