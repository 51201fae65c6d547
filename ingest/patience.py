"""Waiting for a store that is away for a while."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from rerank.core.errors import StoreTimeout, StoreUnavailable

WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each new try: a minute in all, which outlasts the restart of an OpenSearch node."""

T = TypeVar("T")


class Patience:
    """Tries again, after each of *waits* seconds, what a store could not do because it was away or too slow.

    *say* is told of each wait. Once *given_up* is set, nothing is tried again.
    """

    def __init__(self, *, waits: tuple[float, ...] = WAITS, say: Callable[[str], None], given_up: Event) -> None:
        self._waits = waits
        self._say = say
        self._given_up = given_up

    def with_store(self, step: Callable[[], T]) -> T:
        """The answer of *step*, which may be called several times. Raises its last error when none succeeds."""
        for wait in self._waits:
            try:
                return step()
            except (StoreUnavailable, StoreTimeout) as exc:
                if self._given_up.is_set():
                    raise
                self._say(f"{exc.message}; trying again in {wait:g} s")
                if self._given_up.wait(wait):
                    raise
        return step()
