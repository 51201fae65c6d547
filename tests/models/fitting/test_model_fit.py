"""Rules for fitting fusion, calibration and cut-off to judgments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank.core.calibration import probabilities
from rerank.core.errors import TrainingDataError
from rerank.core.fusion import DEFAULT_FUSION
from rerank.core.judging import JudgedCandidates, ndcg
from rerank.models.fitting.fusion_weights import fit_fusion
from rerank.models.fitting.model_fit import fit, scored_list
from rerank.models.fitting.platt import ScoredList, calibration_error, cut_off, fit_calibration
from tests.models.fitting.lists import random_judgments


def first_stage_ndcg(judged: list[JudgedCandidates]) -> float:
    """Returns the mean nDCG of the first-stage order."""
    return float(np.mean([ndcg(np.zeros(len(query.grades)), query) for query in judged]))


def fused_ndcg(judged: list[JudgedCandidates], *, fitted_to: list[JudgedCandidates]) -> float:
    """Returns the mean nDCG of *judged* with the fusion fitted to other queries."""
    fusion = fit_fusion(fitted_to)
    return float(np.mean([ndcg(scored_list(query, fusion).scores, query) for query in judged]))


def test_uninformative_reranker_keeps_first_stage_quality() -> None:
    """A random logit gets a small weight. The default weights would rank worse than the first stage."""
    judged, others = random_judgments(60, logit=0.0, cosine=3.0), random_judgments(60, logit=0.0, cosine=3.0, seed=2)
    default = float(np.mean([ndcg(scored_list(query, DEFAULT_FUSION).scores, query) for query in others]))
    assert default < first_stage_ndcg(others) - 0.1
    assert fused_ndcg(others, fitted_to=judged) > first_stage_ndcg(others) - 0.04


def test_informative_reranker_determines_the_order() -> None:
    """If only the logit is informative, the fused order is nearly as good as the order of the logits."""
    judged, others = random_judgments(60, logit=4.0, cosine=0.0), random_judgments(60, logit=4.0, cosine=0.0, seed=2)
    by_logit = float(np.mean([ndcg(query.logits.astype(np.float64), query) for query in others]))
    assert fused_ndcg(others, fitted_to=judged) > by_logit - 0.02
    assert by_logit > first_stage_ndcg(others) + 0.4


def test_misleading_reranker_keeps_weights_positive() -> None:
    """All weights are positive and finite, even if the logit prefers irrelevant candidates."""
    weights = fit_fusion(random_judgments(40, logit=-3.0, cosine=2.0)).weights
    assert all(weight > 0 for weight in weights.values())
    assert np.isfinite(list(weights.values())).all()


def test_few_judgments_stay_near_the_default_weights() -> None:
    """The weights fitted to one query are nearer to the default than those fitted to sixty."""
    few = fit_fusion(random_judgments(1, logit=0.0, cosine=3.0)).weights
    many = fit_fusion(random_judgments(60, logit=0.0, cosine=3.0)).weights
    assert sum(few.values()) < sum(many.values())


def test_fit_predicts_relevance_of_unseen_queries() -> None:
    """Probabilities match the fraction of relevant candidates of unseen queries; min_score reaches the precision."""
    judged, others = random_judgments(150, logit=1.0, cosine=3.0), random_judgments(150, logit=1.0, cosine=3.0, seed=2)
    fitted = fit(judged, precision=0.8)

    lists = [scored_list(query, fitted.fusion) for query in others]
    log_odds = [fitted.calibration.log_odds(scored.scores, scored.known) for scored in lists]
    predicted = probabilities(np.concatenate(log_odds))
    relevant = np.concatenate([scored.relevant for scored in lists])
    assert calibration_error(predicted, relevant) < 0.02 < fitted.report.error_before
    assert fitted.min_score is not None
    kept = predicted >= fitted.min_score
    assert 0.7 < relevant[kept].mean() < 0.9
    report = fitted.report
    assert report.ndcg["fitted"] > max(report.ndcg["first_stage"], report.ndcg["cross_encoder"])
    assert (report.queries, report.candidates, report.relevant, report.fused_by) == (150, 3000, 150, "fitted")


def test_unreachable_precision_sets_no_cut_off() -> None:
    """min_score is None if no score reaches the precision."""
    assert fit(random_judgments(40, logit=0.0, cosine=0.0), precision=0.99).min_score is None


def test_unusable_judgments_are_refused() -> None:
    """One query, queries without a relevant candidate, and queries with only relevant candidates are refused."""
    judged = random_judgments(20, logit=1.0, cosine=1.0)
    with pytest.raises(TrainingDataError, match="only 1 of 1 judged queries have a relevant document"):
        fit(judged[:1], precision=0.5)
    without_relevant = [replace(query, grades=np.zeros_like(query.grades)) for query in judged]
    with pytest.raises(TrainingDataError, match=r"only 0 of 20 judged queries .* raise --depth"):
        fit(without_relevant, precision=0.5)
    only_relevant = [replace(query, grades=np.ones_like(query.grades)) for query in judged]
    with pytest.raises(TrainingDataError, match="all candidates are judged relevant"):
        fit(only_relevant, precision=0.5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=30))
def test_calibration_increases_with_the_score(pairs: list[tuple[float, bool]]) -> None:
    """The slope is positive and finite, even if all, none or the lowest-scored candidates are relevant."""
    scores, relevant = np.array([score for score, _ in pairs]), np.array([relevant for _, relevant in pairs])
    calibration = fit_calibration([ScoredList(scores, relevant, {})])
    assert calibration.slope > 0
    assert np.isfinite([calibration.slope, calibration.intercept]).all()


def test_query_without_similar_texts_scores_lower() -> None:
    """The fit learns a positive weight of the best cosine: the same score means less if all texts are dissimilar."""
    scores = np.zeros(50)
    similar = ScoredList(scores, np.arange(50) < 20, {"best_cosine": 0.8})
    dissimilar = ScoredList(scores, np.arange(50) < 1, {"best_cosine": 0.2})
    evidence = fit_calibration([similar, dissimilar] * 10, evidence=("best_cosine", "best_logit")).evidence
    assert evidence["best_cosine"].weight > 1
    assert evidence["best_cosine"].typical == 0.5
    assert "best_logit" not in evidence


def test_cut_off_is_the_lowest_score_with_the_precision() -> None:
    """Candidates with equal scores are kept or removed together."""
    predicted = np.array([0.9, 0.8, 0.8, 0.4, 0.3])
    relevant = np.array([True, True, False, True, False])
    assert cut_off(predicted, relevant, precision=1.0) == 0.9
    assert cut_off(predicted, relevant, precision=0.75) == 0.4
    assert cut_off(predicted, relevant, precision=0.5) == 0.3
    assert cut_off(predicted, ~relevant, precision=0.9) is None


def test_calibration_error_is_the_weighted_distance_of_bins() -> None:
    """Two bins of equal size, with distances of .05 and .45, have an error of .25; no candidates have an error of 0."""
    predicted = np.array([0.95, 0.95, 0.55, 0.55])
    assert calibration_error(predicted, np.array([True, True, True, True])) == pytest.approx((0.05 + 0.45) / 2)
    assert calibration_error(predicted[:0], np.zeros(0, dtype=np.bool_)) == 0.0
