"""Whoever asked: is the connection still open?"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from flask import Request

from rerank.core.protocols import Cancellation

_SOCKET = "gunicorn.socket"
"""WSGI itself has no word for a client that leaves; gunicorn hands its socket through."""


@dataclass(frozen=True)
class Client:
    """The other end of a connection. One that closes its sending side has left: no HTTP client waits like that."""

    connection: socket.socket

    def cancelled(self) -> bool:
        """Whether the client has left. Looks without reading, so that a next request on the connection stays there."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def client_connection(request: Request) -> Cancellation | None:
    """Who sent *request*; None where the server does not say."""
    connection = request.environ.get(_SOCKET)
    return Client(connection) if type(connection) is socket.socket else None
