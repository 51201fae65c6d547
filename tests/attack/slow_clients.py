"""Clients that occupy a service: they send or read slowly, or not at all."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

Address = tuple[str, int]


@contextmanager
def open_clients(address: Address, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Yields *count* connections that have sent *sent* and read nothing."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(address)
            client.sendall(sent)
            clients.append(client)
        yield clients


def longest_seconds(address: Address, path: str = "/health", *, requests: int = 20) -> float:
    """Returns the duration of the longest of several GET requests, each on a new connection."""
    longest = 0.0
    for _ in range(requests):
        started = time.monotonic()
        with closing(http.client.HTTPConnection(*address, timeout=60)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
        assert response.status == 200
        longest = max(longest, time.monotonic() - started)
    return longest
