"""Fits all that is stored beside a model for a search: its fusion, what its scores mean, and its cut-off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.calibration import UNCALIBRATED, Calibration, Evidence, probabilities, query_evidence
from rerank.core.errors import TrainingDataError
from rerank.core.fusion import CROSS_ENCODER_ALONE, DEFAULT_FUSION, ScoreFusion
from rerank.core.judging import JudgedCandidates, ndcg
from rerank.models.fitting.fusion_weights import fit_fusion
from rerank.models.fitting.platt import ScoredList, calibration_error, cut_off, fit_calibration

EVIDENCE: tuple[Evidence, ...] = ("best_logit", "best_cosine")
FOLDS = 5
SEED = 0
MIN_QUERIES = 10
"""Judged queries with a relevant candidate: two a fold."""
K = 10


@dataclass(frozen=True)
class FitReport:
    """What was found out of fold: each figure is of queries that the fit behind it has not seen.

    ndcg: mean nDCG@10 by order. fused_by: `fitted`, or `default` where the fitted weights ordered no better.
    error_before, error_after: calibration error of all candidates, uncalibrated and calibrated; top_error: of the
    first ten alone. hits: of the first ten, how many a query keeps with min_score; empty: the share of queries that
    keep none, asked with all their relevant candidates taken away.
    """

    queries: int
    candidates: int
    relevant: int
    ndcg: dict[str, float]
    fused_by: str
    error_before: float
    error_after: float
    top_error: float
    precision: float
    hits: float | None
    empty: float | None

    def to_json(self) -> dict[str, object]:
        """As `rerank-cli models calibrate --json` prints it."""
        said = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {**said, "ndcg": {name: round(value, 6) for name, value in self.ndcg.items()}}


@dataclass(frozen=True)
class Fitted:
    """What is to be stored, and what is known of it. min_score is None where no cut-off reaches the precision."""

    fusion: ScoreFusion
    calibration: Calibration
    logit_calibration: Calibration
    min_score: float | None
    report: FitReport


def fit(judged: Sequence[JudgedCandidates], *, precision: float) -> Fitted:
    """Fit to *judged* queries, on which the model was not trained; *precision*: the share that min_score is to reach.

    The fitted fusion is taken only where, out of fold, it orders at least as well as the default one. Raises
    TrainingDataError where there are too few queries with a relevant candidate, or none that is not.
    """
    _check(judged)
    folds = np.random.default_rng(SEED).permutation(len(judged)) % FOLDS
    orders = {
        "first_stage": np.array([ndcg(one.features.columns["first_stage"], one) for one in judged]),
        "cross_encoder": _measured(judged, lambda _: CROSS_ENCODER_ALONE, folds),
        "default": _measured(judged, lambda _: DEFAULT_FUSION, folds),
        "fitted": _measured(judged, fit_fusion, folds),
    }
    means = {name: float(values.mean()) for name, values in orders.items()}
    fits = means["fitted"] >= means["default"]
    fusing: Callable[[Sequence[JudgedCandidates]], ScoreFusion] = fit_fusion if fits else lambda _: DEFAULT_FUSION
    fusion = fusing(judged)
    seen = _OutOfFoldScores(judged, fusing, folds)
    min_score = cut_off(seen.probabilities, seen.relevant, precision=precision)
    report = FitReport(
        queries=len(judged),
        candidates=len(seen.relevant),
        relevant=int(seen.relevant.sum()),
        ndcg=means,
        fused_by="fitted" if fits else "default",
        error_before=calibration_error(seen.uncalibrated, seen.relevant),
        error_after=calibration_error(seen.probabilities, seen.relevant),
        top_error=calibration_error(seen.probabilities[seen.top], seen.relevant[seen.top]),
        precision=precision,
        hits=None if min_score is None else float((seen.probabilities[seen.top] >= min_score).sum() / len(judged)),
        empty=None if min_score is None else float(np.mean(seen.unanswered < min_score)),
    )
    alone = fit_calibration([scored_list(one, CROSS_ENCODER_ALONE) for one in judged])
    return Fitted(fusion, _calibrated(judged, fusion), alone, min_score, report)


def scored_list(judged: JudgedCandidates, fusion: ScoreFusion) -> ScoredList:
    """The candidates' fused scores, as a calibration is fitted to them."""
    scores = fusion.fuse(judged.logits, judged.features).scores
    return ScoredList(scores, judged.grades > 0, query_evidence(judged.logits, judged.features))


class _OutOfFoldScores:
    """Every candidate's probability by a fit to the other folds."""

    def __init__(
        self,
        judged: Sequence[JudgedCandidates],
        fusing: Callable[[Sequence[JudgedCandidates]], ScoreFusion],
        folds: NDArray[np.int64],
    ) -> None:
        calibrated, raw, relevant, top, best = [], [], [], [], []
        for fold in range(FOLDS):
            others = [one for one, place in zip(judged, folds, strict=True) if place != fold]
            fusion = fusing(others)
            calibration = _calibrated(others, fusion)
            for one in (one for one, place in zip(judged, folds, strict=True) if place == fold):
                found = scored_list(one, fusion)
                calibrated.append(probabilities(calibration.log_odds(found.scores, found.known)))
                raw.append(probabilities(UNCALIBRATED.log_odds(found.scores, found.known)))
                relevant.append(found.relevant)
                top.append(np.argsort(np.argsort(-found.scores, kind="stable")) < K)
                if (rest := one.without_relevant()) is not None:
                    left = scored_list(rest, fusion)
                    best.append(float(probabilities(calibration.log_odds(left.scores, left.known)).max()))
        self.probabilities = np.concatenate(calibrated)
        self.uncalibrated = np.concatenate(raw)
        self.relevant = np.concatenate(relevant)
        self.top = np.concatenate(top)
        self.unanswered = np.array(best)


def _calibrated(judged: Sequence[JudgedCandidates], fusion: ScoreFusion) -> Calibration:
    return fit_calibration([scored_list(one, fusion) for one in judged], evidence=EVIDENCE)


def _measured(
    judged: Sequence[JudgedCandidates],
    fusing: Callable[[Sequence[JudgedCandidates]], ScoreFusion],
    folds: NDArray[np.int64],
) -> NDArray[np.float64]:
    """nDCG@10 of each query, fused by a fit to the other folds."""
    found = np.zeros(len(judged))
    for fold in range(FOLDS):
        fusion = fusing([one for one, place in zip(judged, folds, strict=True) if place != fold])
        for i in np.flatnonzero(folds == fold).tolist():
            found[i] = ndcg(fusion.fuse(judged[i].logits, judged[i].features).scores, judged[i])
    return found


def _check(judged: Sequence[JudgedCandidates]) -> None:
    answered = sum(bool(one.grades.any()) for one in judged)
    if answered < MIN_QUERIES:
        raise TrainingDataError(
            f"{answered} of {len(judged)} judged queries find a relevant document among their candidates; at least"
            f" {MIN_QUERIES} are needed: judge more queries, or raise --depth"
        )
    if all(one.grades.all() for one in judged):
        raise TrainingDataError("every candidate is judged relevant; nothing can be learned of those that are not")
