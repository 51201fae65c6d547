"""How sure a difference between two orders is: paired bootstrap intervals over queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
SEED = 0

_DRAWS_AT_ONCE = 2_000_000
"""Bounds the memory of the drawn positions to 16 MB, however many queries there are."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, the bounds of its interval, and p: how likely chance alone makes it differ from 0 so much.

    p is two-sided: twice the share of the drawn means on the other side of 0. It is at most 1 - confidence where the
    interval leaves 0 out.
    """

    mean: float
    low: float
    high: float
    p: float

    def to_json(self) -> dict[str, float]:
        """As reports carry it."""
        return {
            "mean": round(self.mean, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "p": round(self.p, 6),
        }


def paired_difference(
    values: NDArray[np.float64],
    baseline: NDArray[np.float64],
    *,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """The mean of *values* - *baseline*, both float64 (queries,) of the same queries, at least one.

    Percentile bootstrap: queries are drawn with replacement 10,000 times, and the interval holds the middle part, of
    size *confidence*, of the means. Equal input and seed give equal bounds.
    """
    differences = values - baseline
    return _interval(differences, [_resampled(differences, np.random.default_rng(seed))], confidence)


def mean_difference_over_sets(
    sets: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    *,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """The mean over *sets* of the mean difference of each, a set being values and baseline as paired_difference has.

    Every set counts alike, however many queries it has; queries are drawn within their own set (a stratified
    bootstrap), so that the interval speaks of other queries of the same sets, not of other sets.
    """
    if not sets:
        raise ValueError("a mean over sets needs at least one set")
    random = np.random.default_rng(seed)
    differences = [values - baseline for values, baseline in sets]
    drawn = [_resampled(one, random) for one in differences]
    return _interval(np.array([one.mean() for one in differences]), drawn, confidence)


def _resampled(differences: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """The means (resamples,) of draws with replacement. Raises ValueError where there is nothing to draw."""
    if len(differences) == 0:
        raise ValueError("an interval needs at least one query")
    n = len(differences)
    means = np.empty(RESAMPLES)
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, RESAMPLES, step):
        stop = min(start + step, RESAMPLES)
        drawn = random.integers(0, n, size=(stop - start, n))  # (resamples, queries)
        means[start:stop] = differences[drawn].mean(axis=1)
    return means


def _interval(
    differences: NDArray[np.float64], resampled: Sequence[NDArray[np.float64]], confidence: float
) -> Interval:
    """Of the mean of *differences*, and of the resampled means (resamples,), averaged where there are several."""
    means = np.mean(resampled, axis=0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    p = min(1.0, 2 * min(float((means <= 0).mean()), float((means >= 0).mean())))
    return Interval(float(differences.mean()), float(low), float(high), p)
