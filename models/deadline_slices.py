"""How many of a request's texts are taken at a time: as many as its time allows, the best ones first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

_UNKNOWN = 16
"""Texts that are read before the speed is known."""
_SURELY = 0.7
"""All that is left is taken at once when it needs no more than this share of the time: one window batches best."""


def deadline_slices(
    expected: NDArray[np.float64], *, deadline: float | None, affordable: Callable[[], float | None]
) -> Iterator[tuple[int, int]]:
    """Stretches of texts, in order, until all are taken or *deadline* (time.monotonic() seconds) has passed.

    expected (n,): tokens of each text, as far as one can tell before reading. affordable: tokens that can be read
    until the deadline, asked before each stretch; None while that is not known. Where not all fits, a stretch is half
    of what does, so that the first texts are never lost to the last ones of the same stretch.
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
    """How many texts the next stretch has; *needed* (left + 1,) are the tokens of the first 0, 1, 2 … texts."""
    left = len(needed) - 1
    if tokens is None:
        return min(_UNKNOWN, left)
    if needed[-1] <= _SURELY * tokens:
        return left
    fits = int(np.searchsorted(needed, tokens, side="right")) - 1
    return max(fits if fits <= _UNKNOWN else fits // 2, 1)
