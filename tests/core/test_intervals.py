"""Rules for bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rerank.core.intervals import mean_difference_over_sets, paired_difference


def drawn(seed: int, queries: int, shift: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    baseline = random.random(queries)
    return baseline + random.normal(shift, 0.1, queries), baseline


@given(st.integers(0, 9), st.integers(1, 50), st.floats(-1, 1))
def test_mean_over_one_set_equals_its_paired_difference(seed: int, queries: int, shift: float) -> None:
    """The results are equal to the last digit."""
    values, baseline = drawn(seed, queries, shift)
    assert mean_difference_over_sets([(values, baseline)]) == paired_difference(values, baseline)


def test_sets_have_equal_weight() -> None:
    """The number of queries of a set does not count."""
    few = (np.ones(2), np.zeros(2))
    many = (np.zeros(200), np.ones(200))
    interval = mean_difference_over_sets([few, many])
    assert (interval.mean, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_interval_over_several_sets_is_narrower_than_over_one() -> None:
    """Independent sampling errors partly cancel."""
    sets = [drawn(seed, 60, 0.02) for seed in range(8)]
    together = mean_difference_over_sets(sets)
    alone = [paired_difference(values, baseline) for values, baseline in sets]
    assert together.high - together.low < 0.5 * min(interval.high - interval.low for interval in alone)
    assert together.low < together.mean < together.high


def test_empty_input_is_refused() -> None:
    """A mean requires at least one set, and each set at least one query."""
    with pytest.raises(ValueError, match="at least one set"):
        mean_difference_over_sets([])
    with pytest.raises(ValueError, match="at least one query"):
        mean_difference_over_sets([(np.zeros(0), np.zeros(0))])
