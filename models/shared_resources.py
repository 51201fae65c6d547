"""Resources that all models of a process share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from rerank.core.model_load import ModelLoad
from rerank.models.output_cache import OutputCache
from rerank.models.scheduler import Scheduler


@dataclass(frozen=True)
class SharedResources:
    """The scheduler that runs the batches of all models, and the cache of their outputs."""

    scheduler: Scheduler = field(default_factory=Scheduler)
    cache: OutputCache = field(default_factory=lambda: OutputCache(megabytes=0))

    @classmethod
    def within(cls, *, max_waiting: int, score_cache_mb: int) -> Self:
        """Returns resources with the limits of the settings `max_waiting` and `score_cache_mb`."""
        return cls(Scheduler(max_waiting=max_waiting), OutputCache(megabytes=score_cache_mb))

    def close(self) -> None:
        """Ends the thread of the scheduler when its queue is empty."""
        self.scheduler.close()

    def load(self) -> ModelLoad:
        """Returns the current load and the counters since the start."""
        counts = self.cache.counts()
        return self.scheduler.load().with_cache(looked_up=counts.lookups, cached=counts.hits)
