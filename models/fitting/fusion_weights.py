"""Fits the weights of a fusion to judged candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import Feature
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion
from rerank.core.judging import JudgedCandidates

FEATURES: tuple[Feature, ...] = ("first_stage", "cosine", "text_score", "vector_rank", "text_rank", "logit_rank")
"""What is weighed beside the logit."""

PRIOR_QUERIES = 0.3
"""How much the default fusion counts, beside the evidence of one query: with few judgments little moves. From .1 to 1
it made no difference on the public sets at hand."""

MIN_LOGIT_WEIGHT = 0.02
"""In the unit of a standardised feature. A reranker that adds nothing keeps so much say, so that a fused score still
rises with its logit."""


@dataclass(frozen=True)
class _List:
    """One query: features (n, 1 + f), the logit first, all standardised; target (n,), its share of the relevance."""

    features: NDArray[np.float64]
    target: NDArray[np.float64]


def fit_fusion(judged: Sequence[JudgedCandidates]) -> ScoreFusion:
    """The weights under which the relevant candidates are likeliest to be drawn first, by a softmax over each list.

    ListNet's cross-entropy of the top-one probability (Cao et al., Learning to rank: from pairwise approach to
    listwise approach, ICML 2007), no weight below 0, held to the default fusion by a quadratic penalty: a small convex
    problem, solved by L-BFGS-B. The default's own scale is fitted first. *judged* has at least one relevant candidate.
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
    """The features that any of the searches had: a weight for others would be a guess."""
    known = {name for one in judged for name in one.features.columns}
    return [name for name in FEATURES if name in known or name == "logit_rank"]


def _list(judged: JudgedCandidates) -> _List:
    # The fused score of a fusion that weighs each feature by 1 holds every feature's column, in units of the logits'
    # deviation; without it the logit's own column is standardised as well, up to a shift that no order sees.
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

    faith = PRIOR_QUERIES / len(lists)

    def objective(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = _loss(lists, weights)
        apart = weights - default
        return loss + faith * float(apart @ apart), gradient + 2.0 * faith * apart

    bounds = [(MIN_LOGIT_WEIGHT, None), *[(0.0, None)] * (len(default) - 1)]
    start = np.maximum(default, MIN_LOGIT_WEIGHT)
    found: NDArray[np.float64] = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found


def _loss(lists: Sequence[_List], weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Mean cross-entropy over the lists, and its gradient."""
    loss, gradient = 0.0, np.zeros_like(weights)
    for one in lists:
        scores = one.features @ weights
        scores -= scores.max()
        exponents = np.exp(scores)
        total = exponents.sum()
        loss += float(np.log(total) - one.target @ scores)
        gradient += one.features.T @ (exponents / total - one.target)
    return loss / len(lists), gradient / len(lists)
