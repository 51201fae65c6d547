"""Latency of searches: the stages of one search, and percentiles of many."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STAGES = ("encode", "retrieve", "rerank", "total")
PERCENTILES = (50, 95, 99)


class Stopwatch:
    """Stopwatch for the stages of one search, in milliseconds. It starts when it is created."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Records the time since the previous lap as *stage*."""
        now = time.perf_counter()
        self._laps[stage] = (now - self._last) * 1000
        self._last = now

    def total(self) -> dict[str, float]:
        """Returns all laps and the `total` until now."""
        return {**self._laps, "total": (time.perf_counter() - self._start) * 1000}


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of one stage, in milliseconds."""

    p50: float
    p95: float
    p99: float

    def to_json(self) -> dict[str, float]:
        """Returns the JSON form for reports."""
        return {"p50": round(self.p50, 3), "p95": round(self.p95, 3), "p99": round(self.p99, 3)}


def percentiles(laps: Sequence[Mapping[str, float]]) -> dict[str, Latency]:
    """Returns the percentiles by stage for the *laps* of at least one search, in milliseconds."""
    return {stage: Latency(*np.percentile([lap[stage] for lap in laps], PERCENTILES).tolist()) for stage in STAGES}
