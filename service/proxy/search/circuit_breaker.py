"""Circuit breaker that stops calls to a failing reranker.

pybreaker 1.4.1 and circuitbreaker 2.1.3 do not fit. `pybreaker.call` holds one lock during the call (four concurrent
calls of 0.2 s take 0.8 s), and `pybreaker.calling` and `circuitbreaker` admit four of four concurrent trials.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

FAILURE_THRESHOLD = 5
OPEN_SECONDS = 10.0


class BreakerState(StrEnum):
    """State of a circuit breaker. It admits all searches (closed), none (open), or a single trial (half open)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Thread-safe circuit breaker.

    It opens after FAILURE_THRESHOLD consecutive failures. OPEN_SECONDS later one search is the trial: its success
    closes the breaker, its failure opens it for another OPEN_SECONDS. Results of searches that started before the
    last change of state do not count.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._period = 0
        """Number of state changes so far. A permit counts only in the period that issued it."""
        self._trial: Permit | None = None

    @property
    def state(self) -> BreakerState:
        """The current state."""
        with self._lock:
            return self._state()

    def acquire(self) -> Permit | None:
        """Returns a permit to call the reranker, or None while the breaker is open or another trial runs.

        The caller must leave the permit's `with` block.
        """
        with self._lock:
            state = self._state()
            if state is BreakerState.OPEN or self._trial is not None:
                return None
            permit = Permit(self, self._period)
            if state is BreakerState.HALF_OPEN:
                self._trial = permit
            return permit

    def record(self, permit: Permit, *, succeeded: bool) -> None:
        """Counts the result of the search that holds *permit*, unless the state has changed since."""
        with self._lock:
            if permit.period != self._period:
                return
            if succeeded:
                self._failures = 0
                if permit is self._trial:
                    self._change_state(opened_at=None)
                return
            self._failures += 1
            if permit is self._trial or self._failures >= FAILURE_THRESHOLD:
                self._change_state(opened_at=self._clock())

    def release(self, permit: Permit) -> None:
        """Ends *permit*. A trial without a result lets the next search be the trial."""
        with self._lock:
            if permit is self._trial:
                self._trial = None

    def _change_state(self, *, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._failures = 0
        self._trial = None
        self._period += 1

    def _state(self) -> BreakerState:
        if self._opened_at is None:
            return BreakerState.CLOSED
        elapsed = self._clock() - self._opened_at
        return BreakerState.OPEN if elapsed < OPEN_SECONDS else BreakerState.HALF_OPEN


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """Permission for one search to call the reranker."""

    breaker: CircuitBreaker
    period: int

    def record(self, *, succeeded: bool) -> None:
        """Reports the result of the search. A search that did not call the reranker reports nothing."""
        self.breaker.record(self, succeeded=succeeded)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.breaker.release(self)
