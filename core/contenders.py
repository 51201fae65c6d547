"""Contenders: the candidates of a search that the cross-encoder scores. The other candidates get an estimated logit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_positions(first_stage: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Returns the positions of the *count* highest *first_stage* scores (n,), best first; ties keep their order."""
    return np.argsort(-first_stage, kind="stable")[:count]


def estimated_logits(
    first_stage: NDArray[np.float64], positions: NDArray[np.intp], logits: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Returns float32 (n,): the first-stage scores (n,) on the scale of the *logits* (m,) of the scored candidates.

    At the scored *positions* (m,), estimates and logits have the same mean and standard deviation (linear equating:
    Kolen, Brennan: Test Equating, Scaling, and Linking, 2014, chapter 2). So no candidate overtakes a contender only
    because first-stage scores and logits have different scales.
    """
    scored = first_stage[positions]
    deviation = float(scored.std())
    slope = float(logits.std()) / deviation if deviation > 0 else 1.0
    estimates: NDArray[np.float32] = ((first_stage - scored.mean()) * slope + float(logits.mean())).astype(np.float32)
    return estimates
