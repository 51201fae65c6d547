"""Fit of all that a model stores for search: fusion, calibration and cut-off."""

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
"""Minimum number of judged queries with a relevant candidate: two per fold."""
K = 10


@dataclass(frozen=True)
class FitReport:
    """Results of cross-validation: each figure is of queries that its fit has not seen.

    ndcg: mean nDCG@10 by order. fused_by: `fitted`, or `default` if the fitted weights ranked worse. error_before,
    error_after: calibration error of all candidates, uncalibrated and calibrated; top_error: of the first ten only.
    hits: mean number of the first ten hits per query that min_score keeps; empty: fraction of queries that keep no hit
    after removal of all their relevant candidates.
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
        """Returns the output of `rerank-cli models calibrate --json`."""
        report = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {**report, "ndcg": {name: round(value, 6) for name, value in self.ndcg.items()}}


@dataclass(frozen=True)
class Fitted:
    """Values to store, and their report. min_score is None if no cut-off reaches the precision."""

    fusion: ScoreFusion
    calibration: Calibration
    logit_calibration: Calibration
    min_score: float | None
    report: FitReport


def fit(judged: Sequence[JudgedCandidates], *, precision: float) -> Fitted:
    """Fits to *judged* queries that the model was not trained on. *precision*: the target of min_score.

    The fitted fusion is used only if it ranks at least as well as the default one in cross-validation. Raises
    TrainingDataError for too few queries with a relevant candidate, or if all candidates are relevant.
    """
    _check(judged)
    folds = np.random.default_rng(SEED).permutation(len(judged)) % FOLDS
    orders = {
        "first_stage": np.array([ndcg(np.zeros(len(one.grades)), one) for one in judged]),
        "cross_encoder": _cross_validated_ndcg(judged, lambda _: CROSS_ENCODER_ALONE, folds),
        "default": _cross_validated_ndcg(judged, lambda _: DEFAULT_FUSION, folds),
        "fitted": _cross_validated_ndcg(judged, fit_fusion, folds),
    }
    means = {name: float(values.mean()) for name, values in orders.items()}
    fits = means["fitted"] >= means["default"]
    fusing: Callable[[Sequence[JudgedCandidates]], ScoreFusion] = fit_fusion if fits else lambda _: DEFAULT_FUSION
    fusion = fusing(judged)
    out_of_fold = _OutOfFoldScores(judged, fusing, folds)
    min_score = cut_off(out_of_fold.probabilities, out_of_fold.relevant, precision=precision)
    top_probabilities = out_of_fold.probabilities[out_of_fold.top]
    report = FitReport(
        queries=len(judged),
        candidates=len(out_of_fold.relevant),
        relevant=int(out_of_fold.relevant.sum()),
        ndcg=means,
        fused_by="fitted" if fits else "default",
        error_before=calibration_error(out_of_fold.uncalibrated, out_of_fold.relevant),
        error_after=calibration_error(out_of_fold.probabilities, out_of_fold.relevant),
        top_error=calibration_error(top_probabilities, out_of_fold.relevant[out_of_fold.top]),
        precision=precision,
        hits=None if min_score is None else float((top_probabilities >= min_score).sum() / len(judged)),
        empty=None if min_score is None else float(np.mean(out_of_fold.unanswered < min_score)),
    )
    alone = fit_calibration([scored_list(one, CROSS_ENCODER_ALONE) for one in judged])
    return Fitted(fusion, _calibrated(judged, fusion), alone, min_score, report)


def scored_list(judged: JudgedCandidates, fusion: ScoreFusion) -> ScoredList:
    """Returns the fused scores of the candidates, as input of a calibration."""
    scores = fusion.fuse(judged.logits, judged.features).scores
    return ScoredList(scores, judged.grades > 0, query_evidence(judged.logits, judged.features))


class _OutOfFoldScores:
    """Probability of every candidate by a fit to the other folds."""

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


def _cross_validated_ndcg(
    judged: Sequence[JudgedCandidates],
    fusing: Callable[[Sequence[JudgedCandidates]], ScoreFusion],
    folds: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Returns nDCG@10 of each query, fused by a fit to the other folds."""
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
            f"only {answered} of {len(judged)} judged queries have a relevant document among their candidates, at least"
            f" {MIN_QUERIES} are required. Judge more queries, or raise --depth"
        )
    if all(one.grades.all() for one in judged):
        raise TrainingDataError("all candidates are judged relevant. Add judgments of documents that are not relevant")
