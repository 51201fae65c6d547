"""Connections that wait in the main loop of a worker, each with a deadline."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rerank.service.connections.connection import Connection

OnReadable = Callable[[Connection, Any], None]
OnDeadline = Callable[[Connection], None]


class WaitingConnections:
    """Connections that wait for bytes of their clients, in order of arrival. For one thread."""

    def __init__(self) -> None:
        self._on_deadline: dict[Connection, OnDeadline] = {}

    def add(
        self,
        poller: selectors.BaseSelector,
        connection: Connection,
        seconds: float,
        readable: OnReadable,
        late: OnDeadline,
    ) -> None:
        """Calls *readable* for each arrival of bytes, and *late* after *seconds*."""
        connection.deadline = time.monotonic() + seconds
        poller.register(connection.sock, selectors.EVENT_READ, partial(readable, connection))
        self._on_deadline[connection] = late

    def remove(self, poller: selectors.BaseSelector, connection: Connection) -> None:
        """Ends the wait of *connection*."""
        del self._on_deadline[connection]
        poller.unregister(connection.sock)

    def oldest(self) -> Connection | None:
        """Returns the connection that has waited longest."""
        return next(iter(self._on_deadline), None)

    def expired(self) -> list[tuple[Connection, OnDeadline]]:
        """Returns the connections whose deadline has passed, with their handlers."""
        now = time.monotonic()
        return [(connection, late) for connection, late in self._on_deadline.items() if connection.deadline <= now]

    def shorten(self, deadline: float) -> None:
        """Ends the wait of connections without a started request at *deadline* at the latest."""
        for connection in self._on_deadline:
            if not connection.head:
                connection.deadline = min(connection.deadline, deadline)
