"""Fits the weights of a fusion to judged candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import Feature
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion
from rerank.core.judging import JudgedCandidates

UNITS: Mapping[Feature, float] = {"cosine": 0.05, "lexical": 0.1, "score_share": 0.2}
"""Typical deviation of each feature within the candidates of a query. The fit divides features by this unit, so
that the penalty treats all features equally."""

PRIOR_QUERIES = 0.3
"""Weight of the default fusion relative to one query, so that few judgments change little. Values from 0.1 to 1 made no
difference on the public development sets."""

MIN_LOGIT_WEIGHT = 0.02
"""Minimum weight of the logit, in units of its deviation: a fused score must increase with the logit."""


@dataclass(frozen=True)
class _List:
    """Candidates of one query.

    features: (n, 1 + f) in their units, logit first. target: (n,), fractions of the total relevance.
    """

    features: NDArray[np.float64]
    target: NDArray[np.float64]


def fit_fusion(judged: Sequence[JudgedCandidates]) -> ScoreFusion:
    """Returns the weights for which a softmax over each list most likely selects the relevant candidates first.

    The loss is ListNet's cross-entropy of the top-one probability (Cao et al., Learning to rank: from pairwise approach
    to listwise approach, ICML 2007). Weights are not negative, and a quadratic penalty keeps them near the default
    fusion, whose overall scale is fitted first. L-BFGS-B solves the small, convex problem. *judged* must contain a
    relevant candidate.
    """
    useful = [query for query in judged if query.grades.any()]
    names = [name for name in UNITS if any(name in query.features.columns for query in useful)]
    deviation = _logit_deviation(useful)
    units = np.array([deviation, *(UNITS[name] for name in names)])
    default = np.array([1.0, *(DEFAULT_FUSION.weights[name] * UNITS[name] for name in names)])
    lists = [_list(query, names, units) for query in useful]
    weights = _best_weights(lists, default * _scale(lists, default)) / units
    logit = float(weights[0])
    return ScoreFusion({name: float(weight) / logit for name, weight in zip(names, weights[1:], strict=True) if weight})


def _logit_deviation(judged: Sequence[JudgedCandidates]) -> float:
    """Returns the mean deviation of the logits within a query, or 1 if they never differ."""
    return float(np.mean([query.logits.astype(np.float64).std() for query in judged])) or 1.0


def _list(judged: JudgedCandidates, names: Sequence[Feature], units: NDArray[np.float64]) -> _List:
    absent = np.zeros(len(judged.logits))
    columns = [judged.logits.astype(np.float64), *(judged.features.columns.get(name, absent) for name in names)]
    features = np.stack(columns, axis=1) / units
    return _List(features - features.mean(axis=0), judged.grades / judged.grades.sum())


def _scale(lists: Sequence[_List], default: NDArray[np.float64]) -> float:
    from scipy.optimize import minimize_scalar

    result = minimize_scalar(lambda log: _loss(lists, default * np.exp(log))[0], bounds=(-5.0, 3.0), method="bounded")
    return float(np.exp(result.x))


def _best_weights(lists: Sequence[_List], default: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.optimize import minimize

    penalty = PRIOR_QUERIES / len(lists)

    def objective(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = _loss(lists, weights)
        change = weights - default
        return loss + penalty * float(change @ change), gradient + 2.0 * penalty * change

    bounds = [(MIN_LOGIT_WEIGHT, None), *[(0.0, None)] * (len(default) - 1)]
    start = np.maximum(default, MIN_LOGIT_WEIGHT)
    weights: NDArray[np.float64] = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return weights


def _loss(lists: Sequence[_List], weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Returns the mean cross-entropy over the lists and its gradient."""
    loss, gradient = 0.0, np.zeros_like(weights)
    for candidates in lists:
        scores = candidates.features @ weights
        scores -= scores.max()
        exponents = np.exp(scores)
        total = exponents.sum()
        loss += float(np.log(total) - candidates.target @ scores)
        gradient += candidates.features.T @ (exponents / total - candidates.target)
    return loss / len(lists), gradient / len(lists)
