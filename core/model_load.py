"""Load of the models: waiting requests, and counters since the start of the process."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """Current load and counters since the start of the process.

    waiting: requests being scored or queued now. batches, tokens, padding: batches, their tokens, and their padding
    tokens. refused: requests above the limit. cancelled: requests whose client disconnected. looked_up, cached: cache
    lookups and hits.
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
        """Returns the load with the counters of the cache."""
        return replace(self, looked_up=looked_up, cached=cached)
