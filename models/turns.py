"""Whose turn it is: a model serves one request after the other, and refuses when too many wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import ModelOverloaded


class Turns:
    """First come, first served, for many threads; at most *waiting* wait (None: any number)."""

    def __init__(self, *, waiting: int | None, what: str) -> None:
        self._waiting = waiting
        self._what = what
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        """The first one has the turn."""

    @property
    def length(self) -> int:
        """How many have the turn (one at most) or wait for it."""
        return len(self._line)

    @contextmanager
    def turn(self, *, deadline: float | None = None) -> Iterator[bool]:
        """Wait for the turn and keep it inside the block; False when *deadline* (time.monotonic()) came first.

        Raises ModelOverloaded at once when too many wait already.
        """
        place = self._join()
        try:
            with self._changed:
                remaining = None if deadline is None else max(deadline - time.monotonic(), 0.0)
                mine = self._changed.wait_for(lambda: self._line[0] is place, remaining)
            yield mine
        finally:
            with self._changed:
                self._line.remove(place)
                self._changed.notify_all()

    def _join(self) -> object:
        place = object()
        with self._changed:
            if self._waiting is not None and len(self._line) > self._waiting:
                raise ModelOverloaded(f"{self._what}: {self._waiting} requests are waiting already; try again later")
            self._line.append(place)
        return place
