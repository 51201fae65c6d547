"""Time that a search may spend on its models."""

from __future__ import annotations

import time


class TimeBudget:
    """A number of milliseconds that counts down between deadline() and pause(). None: no limit."""

    def __init__(self, milliseconds: int | None) -> None:
        self._seconds = None if milliseconds is None else milliseconds / 1000
        self._started: float | None = None

    def deadline(self) -> float | None:
        """Starts the countdown and returns its end in time.monotonic() seconds; None without a limit."""
        self._started = started = time.monotonic()
        return None if self._seconds is None else started + self._seconds

    def pause(self) -> None:
        """Stops the countdown if it runs, for example while the store retrieves."""
        if self._seconds is not None and self._started is not None:
            self._seconds = max(self._seconds - (time.monotonic() - self._started), 0.0)
        self._started = None
