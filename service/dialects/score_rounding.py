"""Rounding of scores that keeps their order and their distinctness."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rerank.core.search import SCORE_DECIMALS

_UNIT = 10**SCORE_DECIMALS


def round_descending(
    scores: NDArray[np.float64], logits: Sequence[float], *, floor: float | None = None
) -> list[float]:
    """Returns descending *scores* (n,) rounded to eight decimals. Scores of unequal *logits* stay unequal.

    Many clients sort by the score in the response. A saturated sigmoid maps different logits to the same score, and
    rounding adds ties. Each tie is resolved by one unit of the last decimal: subtracted, or added to the better score
    where subtraction would go below *floor*.
    """
    steps = [round(score * _UNIT) for score in scores.tolist()]
    unequal = [False, *(above != below for above, below in pairwise(logits))]
    for i in range(1, len(steps)):
        steps[i] = min(steps[i], steps[i - 1] - 1) if unequal[i] else steps[i - 1]
    if floor is not None and steps:
        _raise_to_floor(steps, unequal, round(floor * _UNIT))
    return [step / _UNIT for step in steps]


def _raise_to_floor(steps: list[int], unequal: Sequence[bool], floor: int) -> None:
    steps[-1] = max(steps[-1], floor)
    for i in range(len(steps) - 2, -1, -1):
        steps[i] = max(steps[i], steps[i + 1] + 1) if unequal[i + 1] else steps[i + 1]
