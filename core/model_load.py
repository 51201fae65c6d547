"""How busy the models are: what is waiting, and what has been done since the process began."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """waiting: requests being scored or waiting for it now. All else counts from the process's start.

    tokens: read in all batches, without padding; padding: computed beside them. refused: requests beyond the limit;
    cancelled: requests whose client left. looked_up and cached: what was looked for and found in the score cache.
    """

    waiting: int = 0
    batches: int = 0
    tokens: int = 0
    padding: int = 0
    refused: int = 0
    cancelled: int = 0
    looked_up: int = 0
    cached: int = 0

    def with_cache(self, *, looked_up: int, cached: int) -> ModelLoad:
        """The same with the cache's counts."""
        return replace(self, looked_up=looked_up, cached=cached)
