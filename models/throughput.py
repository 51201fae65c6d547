"""Running estimate of the tokens that a model computes per second."""

from __future__ import annotations

_DECAY = 0.9
"""Factor of earlier batches after each batch. About ten batches count, so the estimate follows the load."""


class Throughput:
    """Tokens per second over the latest batches. One thread adds batches; any thread can read the estimate."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0
        self._warm = False

    @property
    def tokens_per_second(self) -> float | None:
        """The estimate, or None before the first measurement."""
        return self._tokens / self._seconds if self._seconds > 0 else None

    def add(self, tokens: int, seconds: float) -> None:
        """Counts one batch. Ignores the first batch, in which a runtime allocates memory and compiles."""
        if self._warm:
            self._tokens = self._tokens * _DECAY + tokens
            self._seconds = self._seconds * _DECAY + seconds
        self._warm = True
