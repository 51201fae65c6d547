"""Fit of the search parameters that a model stores: fusion, calibration and cut-off."""

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
FusionFit = Callable[[Sequence[JudgedCandidates]], ScoreFusion]
"""Function that returns a fusion for judged queries."""


@dataclass(frozen=True)
class FitReport:
    """Results of cross-validation: each number is measured on queries that its fit has not seen.

    ndcg: mean nDCG@10 of each order. fused_by: `fitted`, or `default` if the fitted weights ranked worse. error_before,
    error_after: calibration error of all candidates, uncalibrated and calibrated. top_error: calibration error of the
    first ten candidates. hits: mean number of the first ten hits per query that min_score keeps. empty: fraction of
    queries that keep no hit after removal of all their relevant candidates.
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
        """Returns the report as in the output of `rerank-cli models calibrate --json`."""
        report = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {**report, "ndcg": {name: round(value, 6) for name, value in self.ndcg.items()}}


@dataclass(frozen=True)
class Fitted:
    """Fitted values and their report. min_score is None if no cut-off reaches the precision."""

    fusion: ScoreFusion
    calibration: Calibration
    logit_calibration: Calibration
    min_score: float | None
    report: FitReport


def fit(judged: Sequence[JudgedCandidates], *, precision: float) -> Fitted:
    """Fits to *judged* queries that the model was not trained on. *precision*: target for min_score.

    The fitted fusion is used only if it ranks at least as well as the default fusion in cross-validation. Raises
    TrainingDataError for too few queries with a relevant candidate, or if all candidates are relevant.
    """
    _check(judged)
    folds = np.random.default_rng(SEED).permutation(len(judged)) % FOLDS
    orders = {
        "first_stage": np.array([ndcg(np.zeros(len(query.grades)), query) for query in judged]),
        "cross_encoder": _cross_validated_ndcg(judged, lambda _: CROSS_ENCODER_ALONE, folds),
        "default": _cross_validated_ndcg(judged, lambda _: DEFAULT_FUSION, folds),
        "fitted": _cross_validated_ndcg(judged, fit_fusion, folds),
    }
    means = {name: float(values.mean()) for name, values in orders.items()}
    use_fitted = means["fitted"] >= means["default"]
    fit_to: FusionFit = fit_fusion if use_fitted else lambda _: DEFAULT_FUSION
    fusion = fit_to(judged)
    out_of_fold = _OutOfFoldScores(judged, fit_to, folds)
    min_score = cut_off(out_of_fold.probabilities, out_of_fold.relevant, precision=precision)
    top_probabilities = out_of_fold.probabilities[out_of_fold.top]
    report = FitReport(
        queries=len(judged),
        candidates=len(out_of_fold.relevant),
        relevant=int(out_of_fold.relevant.sum()),
        ndcg=means,
        fused_by="fitted" if use_fitted else "default",
        error_before=calibration_error(out_of_fold.uncalibrated, out_of_fold.relevant),
        error_after=calibration_error(out_of_fold.probabilities, out_of_fold.relevant),
        top_error=calibration_error(top_probabilities, out_of_fold.relevant[out_of_fold.top]),
        precision=precision,
        hits=None if min_score is None else float((top_probabilities >= min_score).sum() / len(judged)),
        empty=None if min_score is None else float(np.mean(out_of_fold.best_without_relevant < min_score)),
    )
    logit_calibration = fit_calibration([scored_list(query, CROSS_ENCODER_ALONE) for query in judged])
    return Fitted(fusion, _fitted_calibration(judged, fusion), logit_calibration, min_score, report)


def scored_list(judged: JudgedCandidates, fusion: ScoreFusion) -> ScoredList:
    """Returns the fused scores of the candidates, as input of a calibration."""
    scores = fusion.fuse(judged.logits, judged.features).scores
    return ScoredList(scores, judged.grades > 0, query_evidence(judged.logits, judged.features))


class _OutOfFoldScores:
    """Probability of each candidate, by a fit to the other folds."""

    def __init__(
        self,
        judged: Sequence[JudgedCandidates],
        fit_to: FusionFit,
        folds: NDArray[np.int64],
    ) -> None:
        calibrated, raw, relevant, top, best = [], [], [], [], []
        for fold in range(FOLDS):
            others = [judged[i] for i in np.flatnonzero(folds != fold).tolist()]
            fusion = fit_to(others)
            calibration = _fitted_calibration(others, fusion)
            for query in (judged[i] for i in np.flatnonzero(folds == fold).tolist()):
                scored = scored_list(query, fusion)
                calibrated.append(probabilities(calibration.log_odds(scored.scores, scored.known)))
                raw.append(probabilities(UNCALIBRATED.log_odds(scored.scores, scored.known)))
                relevant.append(scored.relevant)
                top.append(np.argsort(np.argsort(-scored.scores, kind="stable")) < K)
                if (irrelevant := query.without_relevant()) is not None:
                    rest = scored_list(irrelevant, fusion)
                    best.append(float(probabilities(calibration.log_odds(rest.scores, rest.known)).max()))
        self.probabilities = np.concatenate(calibrated)
        self.uncalibrated = np.concatenate(raw)
        self.relevant = np.concatenate(relevant)
        self.top = np.concatenate(top)
        self.best_without_relevant = np.array(best)


def _fitted_calibration(judged: Sequence[JudgedCandidates], fusion: ScoreFusion) -> Calibration:
    return fit_calibration([scored_list(query, fusion) for query in judged], evidence=EVIDENCE)


def _cross_validated_ndcg(
    judged: Sequence[JudgedCandidates], fit_to: FusionFit, folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Returns nDCG@10 of each query, fused by a fit to the other folds."""
    values = np.zeros(len(judged))
    for fold in range(FOLDS):
        fusion = fit_to([judged[i] for i in np.flatnonzero(folds != fold).tolist()])
        for i in np.flatnonzero(folds == fold).tolist():
            values[i] = ndcg(fusion.fuse(judged[i].logits, judged[i].features).scores, judged[i])
    return values


def _check(judged: Sequence[JudgedCandidates]) -> None:
    with_relevant = sum(bool(query.grades.any()) for query in judged)
    if with_relevant < MIN_QUERIES:
        raise TrainingDataError(
            f"only {with_relevant} of {len(judged)} judged queries have a relevant document among their candidates;"
            f" at least {MIN_QUERIES} are required. Judge more queries, or raise --depth"
        )
    if all(query.grades.all() for query in judged):
        raise TrainingDataError("all candidates are judged relevant. Add judgments of documents that are not relevant")
