"""What all models of a process share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from rerank.core.model_load import ModelLoad
from rerank.models.output_cache import OutputCache
from rerank.models.scheduler import Scheduler


@dataclass(frozen=True)
class SharedResources:
    """The thread that runs them, and the memory of what they have answered."""

    scheduler: Scheduler = field(default_factory=Scheduler)
    cache: OutputCache = field(default_factory=lambda: OutputCache(megabytes=0))

    @classmethod
    def within(cls, *, max_waiting: int, score_cache_mb: int) -> Self:
        """With the limits of the settings of these names."""
        return cls(Scheduler(places=max_waiting), OutputCache(megabytes=score_cache_mb))

    def load(self) -> ModelLoad:
        """What the models are doing, and what they have done so far."""
        counts = self.cache.counts()
        return self.scheduler.load().with_cache(looked_up=counts.looked_up, cached=counts.found)
