"""Scores as they are written: short enough for every parser, and unequal where the model's answers are."""

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
    """*scores* (n,), not rising, rounded to eight decimals; those of unequal *logits* stay unequal.

    Many clients sort by what is written: near 1 a sigmoid says the same of answers that the model tells apart, and
    rounding makes more such ties. One in the last decimal is taken off for each, or added where a score would fall
    below *floor*.
    """
    steps = [round(score * _UNIT) for score in scores.tolist()]
    unequal = [False, *(above != below for above, below in pairwise(logits))]
    for i in range(1, len(steps)):
        steps[i] = min(steps[i], steps[i - 1] - 1) if unequal[i] else steps[i - 1]
    if floor is not None and steps:
        _lift(steps, unequal, round(floor * _UNIT))
    return [step / _UNIT for step in steps]


def _lift(steps: list[int], unequal: Sequence[bool], lowest: int) -> None:
    steps[-1] = max(steps[-1], lowest)
    for i in range(len(steps) - 2, -1, -1):
        steps[i] = max(steps[i], steps[i + 1] + 1) if unequal[i + 1] else steps[i + 1]
