"""Rules for the slices of a request with a deadline."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank.models.deadline_slices import deadline_slices

EXPECTED = st.lists(st.integers(1, 500), max_size=80).map(lambda tokens: np.array(tokens, dtype=np.float64))


@given(EXPECTED, st.lists(st.one_of(st.none(), st.floats(0, 1e5)), min_size=1))
def test_slices_cover_all_texts_in_order(expected: np.ndarray, affordable: list[float | None]) -> None:
    """Before the deadline, every text is in exactly one slice, for all estimates of the throughput."""
    estimates = iter(affordable * 100)
    slices = list(deadline_slices(expected, deadline=time.monotonic() + 3600, affordable=lambda: next(estimates)))

    edges = [0, *(stop for _, stop in slices)]
    assert [(start, stop) for start, stop in pairwise(edges)] == slices
    assert edges[-1] == len(expected)


def test_slice_size_depends_on_the_affordable_tokens() -> None:
    """All texts form one slice if they fit with a margin, else half of the fitting texts; up to 16 are not halved."""
    expected = np.full(100, 10.0)
    deadline = time.monotonic() + 3600

    assert next(iter(deadline_slices(expected, deadline=deadline, affordable=lambda: 2000.0))) == (0, 100)
    assert next(iter(deadline_slices(expected, deadline=deadline, affordable=lambda: 600.0))) == (0, 30)
    assert next(iter(deadline_slices(expected, deadline=deadline, affordable=lambda: 55.0))) == (0, 5)
    assert next(iter(deadline_slices(expected, deadline=deadline, affordable=lambda: 3.0))) == (0, 1)
    assert next(iter(deadline_slices(expected, deadline=deadline, affordable=lambda: None))) == (0, 16)
    assert list(deadline_slices(expected, deadline=None, affordable=lambda: 3.0)) == [(0, 100)]
    assert list(deadline_slices(expected, deadline=time.monotonic() - 1, affordable=lambda: 3.0)) == []
