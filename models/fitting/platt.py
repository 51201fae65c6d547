"""Fits what scores mean: the log-odds of relevance, and the cut-off that reaches a precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.calibration import Calibration, Evidence, QueryEvidence

MIN_SLOPE = 1e-3
"""In the unit of the scores' deviation: an order that says nothing is kept all the same."""

RIDGE = 1.0
"""The penalty counts as much as the evidence of so many candidates: it keeps a fit finite where the judgments part the
scores without a fault."""

BINS = 15


@dataclass(frozen=True)
class ScoredList:
    """The scores (n,) of one query's candidates, which are relevant, bool (n,), and what is known of the query."""

    scores: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    known: Mapping[Evidence, float | None]


def fit_calibration(lists: Sequence[ScoredList], *, evidence: Sequence[Evidence] = ()) -> Calibration:
    """Platt's logistic regression of relevance on the score and on the *evidence* of each query.

    The slope is above 0, so that the order stays; a weight of evidence is at least 0, so that a query with less near
    it never scores higher for that. Evidence that no list has is left out; its typical value is the median of the
    lists' own, which stands in where a list lacks it.
    """
    from scipy.optimize import minimize

    typical = {name: float(np.median(values)) for name in evidence if (values := _known(lists, name))}
    scores = np.concatenate([one.scores for one in lists])
    relevant = np.concatenate([one.relevant for one in lists]).astype(np.float64)
    centre, width = float(scores.mean()), float(scores.std()) or 1.0
    columns = [(scores - centre) / width, np.ones_like(scores)]
    spreads: dict[Evidence, float] = {}
    for name, middle in typical.items():
        apart = np.concatenate([np.full(len(one.scores), _apart(one, name, middle)) for one in lists])
        spreads[name] = float(apart.std()) or 1.0
        columns.append(apart / spreads[name])
    design = np.stack(columns, axis=1)  # (candidates, 2 + evidence)
    bounds = [(MIN_SLOPE, None), (None, None), *[(0.0, None)] * len(typical)]
    start = np.array([1.0, 0.0, *[0.0] * len(typical)])
    weights = minimize(_loss, start, args=(design, relevant), jac=True, bounds=bounds, method="L-BFGS-B").x
    slope = float(weights[0]) / width
    found = {
        name: QueryEvidence(float(weight) / spreads[name], typical[name])
        for name, weight in zip(typical, weights[2:], strict=True)
    }
    return Calibration(slope, float(weights[1]) - slope * centre, found)


def cut_off(probabilities: NDArray[np.float64], relevant: NDArray[np.bool_], *, precision: float) -> float | None:
    """The lowest score of which those at least as high are relevant to this share; None where there is none.

    Both arrays (n,), of candidates of many queries. Equal scores fall on one side together.
    """
    order = np.argsort(-probabilities, kind="stable")
    reached = np.cumsum(relevant[order]) / np.arange(1, len(order) + 1)
    falls = np.append(np.diff(probabilities[order]) < 0, True)  # the last one of each group of equal scores
    good = np.flatnonzero((reached >= precision) & falls)
    return float(probabilities[order][good[-1]]) if len(good) else None


def calibration_error(probabilities: NDArray[np.float64], relevant: NDArray[np.bool_]) -> float:
    """Expected calibration error over 15 equal bins of the unit interval (Naeini, Cooper, Hauskrecht, AAAI 2015).

    The mean distance of a bin's mean probability from its share of relevant ones, weighed by how many are in it.
    """
    if not len(probabilities):
        return 0.0
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    said = np.bincount(bins, weights=probabilities, minlength=BINS)
    true = np.bincount(bins, weights=relevant.astype(np.float64), minlength=BINS)
    return float(np.abs(said - true).sum() / len(probabilities))


def _known(lists: Sequence[ScoredList], name: Evidence) -> list[float]:
    return [value for one in lists if (value := one.known.get(name)) is not None]


def _apart(one: ScoredList, name: Evidence, typical: float) -> float:
    value = one.known.get(name)
    return 0.0 if value is None else value - typical


def _loss(
    weights: NDArray[np.float64], design: NDArray[np.float64], relevant: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Negative log-likelihood with the ridge (the intercept is free of it), per candidate, and its gradient."""
    odds = design @ weights
    penalised = weights * (np.arange(len(weights)) != 1)
    loss = np.logaddexp(0.0, odds) - relevant * odds
    expected = 0.5 * (1.0 + np.tanh(0.5 * odds))
    gradient = design.T @ (expected - relevant) + RIDGE * penalised
    return float(loss.sum() + 0.5 * RIDGE * penalised @ penalised) / len(design), gradient / len(design)
