"""Slices of the texts of a request that fit its deadline, in input order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

_FIRST_SLICE = 16
"""Texts in a slice while the throughput is unknown."""
_SAFE_FRACTION = 0.7
"""All remaining texts form one slice if they need at most this fraction of the time: long slices batch best."""


def deadline_slices(
    expected: NDArray[np.float64], *, deadline: float | None, affordable: Callable[[], float | None]
) -> Iterator[tuple[int, int]]:
    """Yields (start, stop) of consecutive texts until all are taken or *deadline* (time.monotonic() seconds) passes.

    *expected* (n,): estimated tokens of each text. *affordable*: returns the number of tokens that can be computed
    before the deadline, or None while the throughput is unknown; called before each slice. If not all texts fit, a
    slice has half of the texts that fit, so that its last texts do not use the time of its first texts.
    """
    n = len(expected)
    if deadline is None:
        if n:
            yield 0, n
        return
    needed = np.concatenate([[0.0], np.cumsum(expected)])
    start = 0
    while start < n and time.monotonic() < deadline:
        stop = start + _size(needed[start:] - needed[start], affordable())
        yield start, min(stop, n)
        start = stop


def _size(needed: NDArray[np.float64], tokens: float | None) -> int:
    """Returns the number of texts in the next slice. *needed* (left + 1,): tokens of the first 0, 1, 2 … texts."""
    left = len(needed) - 1
    if tokens is None:
        return min(_FIRST_SLICE, left)
    if needed[-1] <= _SAFE_FRACTION * tokens:
        return left
    fitting = int(np.searchsorted(needed, tokens, side="right")) - 1
    return max(fitting if fitting <= _FIRST_SLICE else fitting // 2, 1)
