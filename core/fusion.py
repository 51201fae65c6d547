"""How orders are combined: two first stages into one, and the first stage with the cross-encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import RANK_CONSTANT, Feature, FirstStageFeatures, logit_rank


def reciprocal_rank_fusion(orders: Sequence[Sequence[str]]) -> dict[str, float]:
    """Each id's sum of 1 / (60 + rank) over the *orders* that have it; ranks start at 1."""
    scores: dict[str, float] = {}
    for order in orders:
        for rank, doc_id in enumerate(order, start=1):
            scores[doc_id] = scores.get(doc_id, 0.0) + 1.0 / (RANK_CONSTANT + rank)
    return scores


@dataclass(frozen=True, slots=True)
class Fused:
    """The final scores of one query's candidates, in the logits' unit, and what each is the sum of.

    scores: float64 (n,). values, contributions: float64 (n, features); a contribution is a value times its weight.
    weights: as they were used, float64 (features,).
    """

    scores: NDArray[np.float64]
    features: tuple[Feature, ...]
    weights: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def contributions(self) -> NDArray[np.float64]:
        """What each feature adds to each score."""
        return self.values * self.weights


@dataclass(frozen=True, slots=True)
class ScoreFusion:
    """The final score of a candidate: a weighted sum of what is known of it, in the cross-encoder's own unit.

    fused = logit + s x sum(weight x z). Each z is a feature standardised over the query's candidates, and s the
    logits' own standard deviation: with weight 1 a feature has the same say as the logit, however wide a model's
    logits lie. A logit's meaning is kept: a query without a good answer still scores low. No weight is negative, so
    more of a feature never lowers a candidate; without any the cross-encoder ranks alone.

    What a search's first stage does not know (a cosine, where it went by words alone) leaves its weight to the
    first stage's own score, so that the first stage keeps its say.
    """

    weights: Mapping[Feature, float]
    """By feature, other than the logit, whose weight is 1."""

    def fuse(self, logits: NDArray[np.float32], first_stage: FirstStageFeatures) -> Fused:
        """The fused scores of n candidates, at least one, from their logits (n,) and their features in that order."""
        raw = logits.astype(np.float64)
        weights = self._effective(first_stage)
        spread = raw.std()
        columns = [raw]
        columns += [
            spread * (logit_rank(raw) if name == "logit_rank" else first_stage.columns[name]) for name in weights
        ]
        values = np.stack(columns, axis=1)  # (n, features)
        used = np.array([1.0, *weights.values()])
        return Fused(values @ used, ("logit", *weights), used, values)

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
            there = name == "logit_rank" or name in first_stage.columns
            kept: Feature = name if there else "first_stage"
            weights[kept] = weights.get(kept, 0.0) + weight
        return weights


CROSS_ENCODER_ALONE = ScoreFusion({})
DEFAULT_FUSION = ScoreFusion({"cosine": 0.5, "text_score": 0.5})
"""What holds where no judgments were given: cross-encoder and first stage have the same say, and in it vectors and
words. Summed scores order better than the summed ranks that the first stage goes by (Bruch, Gai, Ingber: An analysis of
fusion functions for hybrid retrieval, TOIS 2023), and so they did on the public sets in benchmarks/README.md."""


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
