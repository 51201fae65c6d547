"""How long searches take: laps of one, percentiles of many."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STAGES = ("encode", "retrieve", "rerank", "total")
PERCENTILES = (50, 95, 99)


class Stopwatch:
    """Laps in milliseconds, from its making on."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """What passed since the lap before was *stage*."""
        now = time.perf_counter()
        self._laps[stage] = (now - self._last) * 1000
        self._last = now

    def total(self) -> dict[str, float]:
        """Every lap, and the `total` up to now."""
        return {**self._laps, "total": (time.perf_counter() - self._start) * 1000}


@dataclass(frozen=True, slots=True)
class Latency:
    """The 50th, 95th and 99th percentile of one stage, in milliseconds."""

    p50: float
    p95: float
    p99: float

    def to_json(self) -> dict[str, float]:
        """As reports carry it."""
        return {"p50": round(self.p50, 3), "p95": round(self.p95, 3), "p99": round(self.p99, 3)}


def percentiles(laps: Sequence[Mapping[str, float]]) -> dict[str, Latency]:
    """By stage, from the milliseconds of each search, of which there is at least one."""
    return {stage: Latency(*np.percentile([lap[stage] for lap in laps], PERCENTILES).tolist()) for stage in STAGES}
