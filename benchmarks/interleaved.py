"""Two implementations of the same work, timed in turns (A B A B …), so that other load slows both equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """Speed of ours relative to theirs: the median over the rounds, with the lowest and highest round."""

    ours_seconds: float
    theirs_seconds: float
    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return (
            f"{self.median:.2f}x (rounds {self.lowest:.2f} to {self.highest:.2f}; "
            f"median seconds: ours {self.ours_seconds:.3f}, theirs {self.theirs_seconds:.3f})"
        )


def compare(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int = 5, warm_up: int = 1) -> Ratio:
    """Times both *rounds* times in turns, after *warm_up* untimed turns."""
    for _ in range(warm_up):
        ours()
        theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    ratios = [theirs_took / ours_took for ours_took, theirs_took in pairs]
    return Ratio(
        statistics.median(ours_took for ours_took, _ in pairs),
        statistics.median(theirs_took for _, theirs_took in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )


def seconds(work: Callable[[], object]) -> float:
    """Returns the wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
