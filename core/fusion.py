"""Fusion of rankings: two first stages into one, and the first stage with the cross-encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import Feature, FirstStageFeatures

RANK_CONSTANT = 60
"""Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods,
SIGIR 2009. Also the default of OpenSearch and Elasticsearch."""


def reciprocal_rank_fusion(orders: Sequence[Sequence[str]]) -> dict[str, float]:
    """Returns the sum of 1 / (60 + rank) of each id over the *orders* that contain it; ranks start at 1."""
    scores: dict[str, float] = {}
    for order in orders:
        for rank, doc_id in enumerate(order, start=1):
            scores[doc_id] = scores.get(doc_id, 0.0) + 1.0 / (RANK_CONSTANT + rank)
    return scores


NEUTRAL: Mapping[Feature, float] = {"cosine": 0.4, "lexical": 0.3, "score_share": 0.5}
"""Value of each feature that indicates neither relevance nor irrelevance. Features are measured from these values, so
that a fused score stays near the logit, whose meaning the reranker defines."""


@dataclass(frozen=True, slots=True)
class Fused:
    """Final scores of one query's candidates in units of the logits, with their terms.

    scores: float64 (n,). values, contributions: float64 (n, features); a contribution is a value times its weight.
    weights: float64 (features,).
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

    fused = logit + sum(weight x (feature - neutral value)). Features, neutral values and weights have a fixed scale, so
    adding a candidate never swaps two others, and a query without a relevant document scores low. Weights are not
    negative; without weights, the cross-encoder ranks alone. A feature that the search lacks adds nothing.
    """

    weights: Mapping[Feature, float]
    """Weights by feature. The weight of the logit is 1."""

    def fuse(self, logits: NDArray[np.float32], first_stage: FirstStageFeatures) -> Fused:
        """Returns the fused scores of n >= 1 candidates from their logits (n,) and features, in the same order."""
        available = {name: weight for name, weight in self.weights.items() if name in first_stage.columns}
        columns = [logits.astype(np.float64), *(first_stage.columns[name] - NEUTRAL[name] for name in available)]
        values = np.stack(columns, axis=1)  # (n, features)
        weights = np.array([1.0, *available.values()])
        return Fused(values @ weights, ("logit", *available), weights, values)

    def first_stage_scores(self, first_stage: FirstStageFeatures) -> NDArray[np.float64] | None:
        """Returns the fused score without the logit, float64 (n,).

        Returns None without weights or cosines: words alone are not enough to select the candidates to score.
        """
        if not self.weights or "cosine" not in first_stage.columns:
            return None
        terms = [
            weight * first_stage.columns[name] for name, weight in self.weights.items() if name in first_stage.columns
        ]
        total: NDArray[np.float64] = np.sum(terms, axis=0, dtype=np.float64)
        return total

    def scaled(self, factor: float) -> ScoreFusion:
        """Returns the same fusion for a reranker whose logits have *factor* times the deviation."""
        return ScoreFusion({name: weight * factor for name, weight in self.weights.items()})


CROSS_ENCODER_ALONE = ScoreFusion({})
DEFAULT_FUSION = ScoreFusion({"cosine": 8.0, "lexical": 8.0, "score_share": 1.2})
"""Fusion for a reranker without fitted weights whose logits have unit deviation: the first-stage features together have
a deviation of about 0.12 within the candidates of a query, so that logit and features have equal influence. Sums of
scores rank better than sums of ranks (Bruch, Gai, Ingber: An analysis of fusion functions for hybrid retrieval, TOIS
2023)."""


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns 1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)), dtype=np.float64)
