"""Fusion of rankings: two first stages into one, and the first stage with the cross-encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import RANK_CONSTANT, Feature, FirstStageFeatures, logit_rank


def reciprocal_rank_fusion(orders: Sequence[Sequence[str]]) -> dict[str, float]:
    """Returns the sum of 1 / (60 + rank) of each id over the *orders* that contain it; ranks start at 1."""
    scores: dict[str, float] = {}
    for order in orders:
        for rank, doc_id in enumerate(order, start=1):
            scores[doc_id] = scores.get(doc_id, 0.0) + 1.0 / (RANK_CONSTANT + rank)
    return scores


@dataclass(frozen=True, slots=True)
class Fused:
    """Final scores of one query's candidates in units of the logits, with their terms.

    scores: float64 (n,). values, contributions: float64 (n, features); a contribution is a value times its weight.
    weights: effective weights, float64 (features,).
    """

    scores: NDArray[np.float64]
    features: tuple[Feature, ...]
    weights: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def contributions(self) -> NDArray[np.float64]:
        """Contribution of each feature to each score."""
        return self.values * self.weights


@dataclass(frozen=True, slots=True)
class ScoreFusion:
    """Linear fusion of the logit with first-stage features, in units of the logit.

    fused = logit + s x sum(weight x z). Each z is a feature standardised over the query's candidates, and s is the
    standard deviation of the logits, so that a feature with weight 1 has as much influence as the logit of any model.
    The level of the logits stays: a query without a relevant document still scores low. Weights are not negative;
    without weights, the cross-encoder ranks alone.

    The weight of a feature that the search lacks (a cosine in a text search) goes to the first-stage score, so that the
    first stage keeps its influence.
    """

    weights: Mapping[Feature, float]
    """Weights by feature. The weight of the logit is 1."""

    def fuse(self, logits: NDArray[np.float32], first_stage: FirstStageFeatures) -> Fused:
        """Returns the fused scores of n >= 1 candidates from their logits (n,) and features, in the same order."""
        raw = logits.astype(np.float64)
        weights = self._effective(first_stage)
        spread = raw.std()
        columns = [raw]
        columns += [
            spread * (logit_rank(raw) if name == "logit_rank" else first_stage.columns[name]) for name in weights
        ]
        values = np.stack(columns, axis=1)  # (n, features)
        effective = np.array([1.0, *weights.values()])
        return Fused(values @ effective, ("logit", *weights), effective, values)

    def first_stage_scores(self, first_stage: FirstStageFeatures) -> NDArray[np.float64] | None:
        """Returns the fused score without the logit, float64 (n,), in units of the logits' standard deviation.

        Returns None without weights, and for a search by vectors alone or by words alone: one of them is not enough
        to choose the candidates to score.
        """
        if not self.weights or not {"cosine", "text_score"} <= first_stage.columns.keys():
            return None
        parts = [
            weight * first_stage.columns[name]
            for name, weight in self._effective(first_stage).items()
            if name != "logit_rank"
        ]
        return np.sum(parts, axis=0, dtype=np.float64) if parts else None

    def _effective(self, first_stage: FirstStageFeatures) -> dict[Feature, float]:
        weights: dict[Feature, float] = {}
        for name, weight in self.weights.items():
            available = name == "logit_rank" or name in first_stage.columns
            feature: Feature = name if available else "first_stage"
            weights[feature] = weights.get(feature, 0.0) + weight
        return weights


CROSS_ENCODER_ALONE = ScoreFusion({})
DEFAULT_FUSION = ScoreFusion({"cosine": 0.5, "text_score": 0.5})
"""Fusion for models without fitted weights: cross-encoder and first stage have equal influence, and so have vectors and
words. Sums of scores rank better than the sums of ranks that the first stage uses (Bruch, Gai, Ingber: An analysis of
fusion functions for hybrid retrieval, TOIS 2023; confirmed on the public sets in benchmarks/README.md)."""


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns 1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
