"""Fit of score calibration: the log-odds of relevance, and the cut-off that reaches a precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.calibration import Calibration, Evidence, QueryEvidence

MIN_SLOPE = 1e-3
"""Minimum slope, in units of the deviation of the scores. It keeps the order of scores without information."""

RIDGE = 1.0
"""Weight of the penalty, in candidates. It keeps a fit finite if the scores separate the judgments perfectly."""

BINS = 15


@dataclass(frozen=True)
class ScoredList:
    """Scores (n,) and relevance, bool (n,), of the candidates of one query, and the known evidence of the query."""

    scores: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    known: Mapping[Evidence, float | None]


def fit_calibration(lists: Sequence[ScoredList], *, evidence: Sequence[Evidence] = ()) -> Calibration:
    """Fits Platt's logistic regression of relevance on the score and on the *evidence* of each query.

    The slope is above 0, which keeps the order. Weights of evidence are at least 0, so that less evidence never raises
    a score. Evidence that no list has is ignored. The typical value, the median over the lists, replaces missing
    values.
    """
    from scipy.optimize import minimize

    typical = {name: float(np.median(values)) for name in evidence if (values := _known(lists, name))}
    scores = np.concatenate([scored.scores for scored in lists])
    relevant = np.concatenate([scored.relevant for scored in lists]).astype(np.float64)
    centre, width = float(scores.mean()), float(scores.std()) or 1.0
    columns = [(scores - centre) / width, np.ones_like(scores)]
    spreads: dict[Evidence, float] = {}
    for name, middle in typical.items():
        deviations = np.concatenate([np.full(len(scored.scores), _deviation(scored, name, middle)) for scored in lists])
        spreads[name] = float(deviations.std()) or 1.0
        columns.append(deviations / spreads[name])
    design = np.stack(columns, axis=1)  # (candidates, 2 + evidence)
    bounds = [(MIN_SLOPE, None), (None, None), *[(0.0, None)] * len(typical)]
    start = np.array([1.0, 0.0, *[0.0] * len(typical)])
    weights = minimize(_loss, start, args=(design, relevant), jac=True, bounds=bounds, method="L-BFGS-B").x
    slope = float(weights[0]) / width
    fitted_evidence = {
        name: QueryEvidence(float(weight) / spreads[name], typical[name])
        for name, weight in zip(typical, weights[2:], strict=True)
    }
    return Calibration(slope, float(weights[1]) - slope * centre, fitted_evidence)


def cut_off(probabilities: NDArray[np.float64], relevant: NDArray[np.bool_], *, precision: float) -> float | None:
    """Returns the lowest cut-off whose remaining candidates reach *precision*, or None.

    Both arrays are (n,), over candidates of many queries. Equal scores are kept or cut together.
    """
    order = np.argsort(-probabilities, kind="stable")
    precisions = np.cumsum(relevant[order]) / np.arange(1, len(order) + 1)
    last_of_equals = np.append(np.diff(probabilities[order]) < 0, True)
    cuts = np.flatnonzero((precisions >= precision) & last_of_equals)
    return float(probabilities[order][cuts[-1]]) if len(cuts) else None


def calibration_error(probabilities: NDArray[np.float64], relevant: NDArray[np.bool_]) -> float:
    """Returns the expected calibration error over 15 equal bins (Naeini, Cooper, Hauskrecht, AAAI 2015).

    The error of a bin is the distance between its mean probability and its fraction of relevant candidates. Bins are
    weighted by their number of candidates.
    """
    if not len(probabilities):
        return 0.0
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    predicted = np.bincount(bins, weights=probabilities, minlength=BINS)
    observed = np.bincount(bins, weights=relevant.astype(np.float64), minlength=BINS)
    return float(np.abs(predicted - observed).sum() / len(probabilities))


def _known(lists: Sequence[ScoredList], name: Evidence) -> list[float]:
    return [value for scored in lists if (value := scored.known.get(name)) is not None]


def _deviation(scored: ScoredList, name: Evidence, typical: float) -> float:
    value = scored.known.get(name)
    return 0.0 if value is None else value - typical


def _loss(
    weights: NDArray[np.float64], design: NDArray[np.float64], relevant: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Returns the mean negative log-likelihood with a ridge penalty on all but the intercept, and its gradient."""
    odds = design @ weights
    penalised = weights * (np.arange(len(weights)) != 1)
    loss = np.logaddexp(0.0, odds) - relevant * odds
    expected = 0.5 * (1.0 + np.tanh(0.5 * odds))
    gradient = design.T @ (expected - relevant) + RIDGE * penalised
    return float(loss.sum() + 0.5 * RIDGE * penalised @ penalised) / len(design), gradient / len(design)
