"""Bootstrap intervals of the difference between two orders, paired over queries.

scipy.stats.bootstrap is not used, because it refuses a single query and returns no p-value. Its import takes 0.96
seconds of CPU time, and it needs 0.09 seconds instead of 0.03 for 10,000 resamples of 300 queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
SEED = 0

_DRAWS_PER_STEP = 2_000_000
"""Number of positions drawn per step, which limits memory to 16 MB for any number of queries."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean with the bounds of its interval and a two-sided p-value against 0.

    p is twice the fraction of the resampled means on the other side of 0. It is at most 1 - confidence if the interval
    excludes 0.
    """

    mean: float
    low: float
    high: float
    p: float

    def to_json(self) -> dict[str, float]:
        """Returns the JSON form for reports."""
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
    """Returns the mean of *values* - *baseline*, both float64 (queries,) of the same queries, with its interval.

    Percentile bootstrap: 10,000 resamples of the queries, and the central *confidence* fraction of their means. Equal
    input and seed give equal bounds. Raises ValueError without queries.
    """
    differences = values - baseline
    return _interval(differences, [_resampled(differences, np.random.default_rng(seed))], confidence)


def mean_difference_over_sets(
    sets: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    *,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """Returns the mean over *sets* of the mean difference per set, with its interval.

    A set is a pair of values and baseline as in `paired_difference`. Sets have equal weight. Queries are resampled
    within their set (stratified bootstrap), so that the interval covers other queries of the same sets, not other sets.
    Raises ValueError without sets or for a set without queries.
    """
    if not sets:
        raise ValueError("a mean over sets requires at least one set")
    random = np.random.default_rng(seed)
    differences = [values - baseline for values, baseline in sets]
    resampled = [_resampled(of_set, random) for of_set in differences]
    return _interval(np.array([of_set.mean() for of_set in differences]), resampled, confidence)


def _resampled(differences: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Returns the means of the resamples, float64 (resamples,). Raises ValueError without queries."""
    if len(differences) == 0:
        raise ValueError("an interval requires at least one query")
    n = len(differences)
    means = np.empty(RESAMPLES)
    step = max(1, _DRAWS_PER_STEP // n)
    for start in range(0, RESAMPLES, step):
        stop = min(start + step, RESAMPLES)
        drawn = random.integers(0, n, size=(stop - start, n))  # (resamples, queries)
        means[start:stop] = differences[drawn].mean(axis=1)
    return means


def _interval(
    differences: NDArray[np.float64], resampled: Sequence[NDArray[np.float64]], confidence: float
) -> Interval:
    """Returns the interval of the mean of *differences* from the resampled means, averaged over the sets."""
    means = np.mean(resampled, axis=0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    p = min(1.0, 2 * min(float((means <= 0).mean()), float((means >= 0).mean())))
    return Interval(float(differences.mean()), float(low), float(high), p)
