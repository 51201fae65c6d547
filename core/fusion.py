"""How orders are combined: two first stages into one, and the first stage with the cross-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANK_CONSTANT = 60
"""Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods,
SIGIR 2009: the constant there, and the default of OpenSearch and Elasticsearch."""


def reciprocal_rank_fusion(orders: Sequence[Sequence[str]]) -> dict[str, float]:
    """Each id's sum of 1 / (60 + rank) over the *orders* that have it; ranks start at 1."""
    scores: dict[str, float] = {}
    for order in orders:
        for rank, doc_id in enumerate(order, start=1):
            scores[doc_id] = scores.get(doc_id, 0.0) + 1.0 / (RANK_CONSTANT + rank)
    return scores


@dataclass(frozen=True, slots=True)
class ScoreFusion:
    """The final score of a candidate, in the cross-encoder's own unit.

    fused = logit + weight x s x z, where z is the candidate's first-stage score, standardised over the candidates,
    and s the logits' own standard deviation: with weight 1 both have the same say, however wide a model's logits
    lie. A logit's meaning is kept: a query without a good answer still scores low. Weight 0 ranks by the
    cross-encoder alone.
    """

    first_stage_weight: float = 1.0

    def fuse(self, logits: NDArray[np.float32], first_stage: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 (n,) from logits (n,) and first-stage scores (n,) of one query's candidates."""
        raw = logits.astype(np.float64)
        return raw + self.first_stage_weight * raw.std() * standardised(first_stage) if len(raw) else raw


CROSS_ENCODER_ALONE = ScoreFusion(first_stage_weight=0.0)
DEFAULT_FUSION = ScoreFusion()


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero mean, unit deviation; all zero where the values do not differ."""
    centred = values - values.mean() if len(values) else values
    deviation = centred.std() if len(values) else 0.0
    # Below it the differences are rounding noise, which dividing would blow up to whole deviations.
    negligible = 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0)))
    return centred / deviation if deviation > negligible else np.zeros_like(centred)


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
