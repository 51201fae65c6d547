"""A circuit breaker: a reranker that keeps failing is left alone for a while, and then tried with one search."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum

FAILURES = 5
PAUSE_SECONDS = 10.0


class BreakerState(StrEnum):
    """closed: searches are re-ranked. open: none is. half_open: one is tried, the others are not."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after FAILURES failures in a row, for PAUSE_SECONDS. Safe for threads.

    Every search that allows() lets through must be told of with record().
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened: float | None = None
        self._trying = False

    @property
    def state(self) -> BreakerState:
        """What it is now."""
        with self._lock:
            return self._state()

    def allows(self) -> bool:
        """Whether a search may be re-ranked; half open, only the first one to ask."""
        with self._lock:
            state = self._state()
            if state is BreakerState.HALF_OPEN and not self._trying:
                self._trying = True
                return True
            return state is BreakerState.CLOSED

    def record(self, *, succeeded: bool) -> None:
        """What became of a search that was let through."""
        with self._lock:
            was_trying, self._trying = self._trying, False
            if succeeded:
                self._failures, self._opened = 0, None
                return
            self._failures += 1
            if was_trying or self._failures >= FAILURES:
                self._opened = self._clock()

    def pass_over(self) -> None:
        """A search that was let through came to nothing that says anything of the reranker."""
        with self._lock:
            self._trying = False

    def _state(self) -> BreakerState:
        if self._opened is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() - self._opened < PAUSE_SECONDS else BreakerState.HALF_OPEN
