"""Fit of the weights of a fusion to judged candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import Feature
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion
from rerank.core.judging import JudgedCandidates

FEATURES: tuple[Feature, ...] = ("first_stage", "cosine", "text_score", "vector_rank", "text_rank", "logit_rank")
"""Features with a weight, beside the logit."""

PRIOR_QUERIES = 0.3
"""Weight of the default fusion, in queries: few judgments change little. Values from .1 to 1 made no difference on
public data sets.
"""

MIN_LOGIT_WEIGHT = 0.02
"""In units of a standardised feature. Keeps a fused score increasing in the logit if the reranker adds nothing."""


@dataclass(frozen=True)
class _List:
    """One query: features (n, 1 + f), the logit first, standardised; target (n,), fractions of the total relevance."""

    features: NDArray[np.float64]
    target: NDArray[np.float64]


def fit_fusion(judged: Sequence[JudgedCandidates]) -> ScoreFusion:
    """Returns the weights that maximise the likelihood of the relevant candidates under a softmax over each list.

    The loss is ListNet's cross-entropy of the top-one probability (Cao et al., Learning to rank: from pairwise approach
    to listwise approach, ICML 2007). Weights are at least 0, and a quadratic penalty pulls them to the default fusion,
    whose scale is fitted first. L-BFGS-B solves this small convex problem. *judged* must have a relevant candidate.
    """
    lists = [_list(one) for one in judged if one.grades.any()]
    names = _known(judged)
    default = np.array([1.0, *[DEFAULT_FUSION.weights.get(name, 0.0) for name in names]])
    lists = [_List(one.features[:, [0, *[1 + FEATURES.index(name) for name in names]]], one.target) for one in lists]
    scaled = default * _scale(lists, default)
    weights = _minimised(lists, scaled)
    logit = float(weights[0])
    return ScoreFusion({name: float(weight) / logit for name, weight in zip(names, weights[1:], strict=True) if weight})


def _known(judged: Sequence[JudgedCandidates]) -> list[Feature]:
    """Returns the features that at least one search had; other weights would be guesses."""
    known = {name for one in judged for name in one.features.columns}
    return [name for name in FEATURES if name in known or name == "logit_rank"]


def _list(judged: JudgedCandidates) -> _List:
    # A fusion with weights of 1 returns the column of each feature, in units of the logits' deviation. Division by that
    # deviation standardises all columns, the logit's too, up to a shift that does not change an order.
    fused = ScoreFusion(dict.fromkeys(FEATURES, 1.0)).fuse(judged.logits, judged.features)
    columns: Mapping[Feature, NDArray[np.float64]] = dict(zip(fused.features, fused.values.T, strict=True))
    spread = float(judged.logits.astype(np.float64).std())
    empty = np.zeros(len(judged.logits))
    rows = [columns.get(name, empty) if spread else empty for name in ("logit", *FEATURES)]
    features = np.stack(rows, axis=1) / (spread or 1.0)
    return _List(features - features.mean(axis=0), judged.grades / judged.grades.sum())


def _scale(lists: Sequence[_List], default: NDArray[np.float64]) -> float:
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(lambda log: _loss(lists, default * np.exp(log))[0], bounds=(-5.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def _minimised(lists: Sequence[_List], default: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.optimize import minimize

    prior_weight = PRIOR_QUERIES / len(lists)

    def objective(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = _loss(lists, weights)
        distance = weights - default
        return loss + prior_weight * float(distance @ distance), gradient + 2.0 * prior_weight * distance

    bounds = [(MIN_LOGIT_WEIGHT, None), *[(0.0, None)] * (len(default) - 1)]
    start = np.maximum(default, MIN_LOGIT_WEIGHT)
    found: NDArray[np.float64] = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found


def _loss(lists: Sequence[_List], weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Returns the mean cross-entropy over the lists, and its gradient."""
    loss, gradient = 0.0, np.zeros_like(weights)
    for one in lists:
        scores = one.features @ weights
        scores -= scores.max()
        exponents = np.exp(scores)
        total = exponents.sum()
        loss += float(np.log(total) - one.target @ scores)
        gradient += one.features.T @ (exponents / total - one.target)
    return loss / len(lists), gradient / len(lists)
