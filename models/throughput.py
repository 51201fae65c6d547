"""How fast a model reads: a running estimate, so that a request knows how much fits into its time."""

from __future__ import annotations

_FADING = 0.9
"""What is left of earlier batches' weight after one more: about the last ten count, so that it follows the load."""


class Throughput:
    """Tokens a second over the latest batches. One thread adds, any thread asks."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0
        self._warm = False

    @property
    def tokens_per_second(self) -> float | None:
        """None until it has been measured."""
        return self._tokens / self._seconds if self._seconds > 0 else None

    def add(self, tokens: int, seconds: float) -> None:
        """Count one batch. The first one is left out: in it a runtime still allocates and compiles."""
        if self._warm:
            self._tokens = self._tokens * _FADING + tokens
            self._seconds = self._seconds * _FADING + seconds
        self._warm = True
