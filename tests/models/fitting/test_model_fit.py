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
from tests.models.fitting.lists import drawn


def by_first_stage(judged: list[JudgedCandidates]) -> float:
    return float(np.mean([ndcg(np.zeros(len(one.grades)), one) for one in judged]))


def fused(judged: list[JudgedCandidates], fitted_to: list[JudgedCandidates]) -> float:
    fusion = fit_fusion(fitted_to)
    return float(np.mean([ndcg(scored_list(one, fusion).scores, one) for one in judged]))


def test_a_reranker_that_knows_nothing_cannot_ruin_a_good_first_stage() -> None:
    """Fitted weights leave it next to nothing to say, where the default ones would let it spoil the order."""
    judged, others = drawn(60, logit=0.0, cosine=3.0), drawn(60, logit=0.0, cosine=3.0, seed=2)
    default = float(np.mean([ndcg(scored_list(one, DEFAULT_FUSION).scores, one) for one in others]))
    assert default < by_first_stage(others) - 0.1
    assert fused(others, judged) > by_first_stage(others) - 0.04


def test_a_strong_reranker_decides() -> None:
    """Where only the logit knows, the order is nearly its own."""
    judged, others = drawn(60, logit=4.0, cosine=0.0), drawn(60, logit=4.0, cosine=0.0, seed=2)
    alone = float(np.mean([ndcg(one.logits.astype(np.float64), one) for one in others]))
    assert fused(others, judged) > alone - 0.02
    assert alone > by_first_stage(others) + 0.4


def test_no_weight_is_negative_and_the_logit_keeps_a_say() -> None:
    """Even where a reranker prefers what is irrelevant."""
    weights = fit_fusion(drawn(40, logit=-3.0, cosine=2.0)).weights
    assert all(weight > 0 for weight in weights.values())
    assert np.isfinite(list(weights.values())).all()


def test_few_judgments_move_little() -> None:
    """A single query leaves the weights nearer to the default than sixty do."""
    few = fit_fusion(drawn(1, logit=0.0, cosine=3.0)).weights
    many = fit_fusion(drawn(60, logit=0.0, cosine=3.0)).weights
    assert sum(few.values()) < sum(many.values())


def test_a_fit_says_what_is_so() -> None:
    """On queries that it has not seen, the probabilities are the shares of relevant ones, and the order is better."""
    judged, others = drawn(150, logit=1.0, cosine=3.0), drawn(150, logit=1.0, cosine=3.0, seed=2)
    fitted = fit(judged, precision=0.8)

    lists = [scored_list(one, fitted.fusion) for one in others]
    said = np.concatenate([probabilities(fitted.calibration.log_odds(one.scores, one.known)) for one in lists])
    relevant = np.concatenate([one.relevant for one in lists])
    assert calibration_error(said, relevant) < 0.02 < fitted.report.error_before
    assert fitted.min_score is not None
    kept = said >= fitted.min_score
    assert 0.7 < relevant[kept].mean() < 0.9
    report = fitted.report
    assert report.ndcg["fitted"] > max(report.ndcg["first_stage"], report.ndcg["cross_encoder"])
    assert (report.queries, report.candidates, report.relevant, report.fused_by) == (150, 3000, 150, "fitted")


def test_a_precision_that_nothing_reaches_leaves_no_cut_off() -> None:
    """Better none than one that keeps a promise by chance."""
    assert fit(drawn(40, logit=0.0, cosine=0.0), precision=0.99).min_score is None


def test_too_few_judgments_are_refused() -> None:
    """One query, queries whose answers are not among the candidates, and nothing but answers."""
    judged = drawn(20, logit=1.0, cosine=1.0)
    with pytest.raises(TrainingDataError, match="only 1 of 1 judged queries have a relevant document"):
        fit(judged[:1], precision=0.5)
    missed = [replace(one, grades=np.zeros_like(one.grades)) for one in judged]
    with pytest.raises(TrainingDataError, match=r"only 0 of 20 judged queries .* raise --depth"):
        fit(missed, precision=0.5)
    answers = [replace(one, grades=np.ones_like(one.grades)) for one in judged]
    with pytest.raises(TrainingDataError, match="all candidates are judged relevant"):
        fit(answers, precision=0.5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=30))
def test_a_fitted_calibration_rises_with_the_score(pairs: list[tuple[float, bool]]) -> None:
    """Whatever the judgments: all relevant, none, or the wrong way round."""
    scores, relevant = np.array([score for score, _ in pairs]), np.array([found for _, found in pairs])
    calibration = fit_calibration([ScoredList(scores, relevant, {})])
    assert calibration.slope > 0
    assert np.isfinite([calibration.slope, calibration.intercept]).all()


def test_queries_with_nothing_near_score_lower() -> None:
    """Evidence is learned from judgments in which it tells: the same score means less where all is far."""
    scores = np.zeros(50)
    near = ScoredList(scores, np.arange(50) < 20, {"best_cosine": 0.8})
    far = ScoredList(scores, np.arange(50) < 1, {"best_cosine": 0.2})
    evidence = fit_calibration([near, far] * 10, evidence=("best_cosine", "best_logit")).evidence
    assert evidence["best_cosine"].weight > 1
    assert evidence["best_cosine"].typical == 0.5
    assert "best_logit" not in evidence


def test_the_cut_off_is_the_lowest_that_reaches_the_precision() -> None:
    """Equal scores are kept or dropped together."""
    said = np.array([0.9, 0.8, 0.8, 0.4, 0.3])
    relevant = np.array([True, True, False, True, False])
    assert cut_off(said, relevant, precision=1.0) == 0.9
    assert cut_off(said, relevant, precision=0.75) == 0.4
    assert cut_off(said, relevant, precision=0.5) == 0.3
    assert cut_off(said, ~relevant, precision=0.9) is None


def test_the_calibration_error_is_the_mean_distance_of_the_bins() -> None:
    """Two bins of four: .05 apart from its share, .45 apart."""
    said = np.array([0.95, 0.95, 0.55, 0.55])
    assert calibration_error(said, np.array([True, True, True, True])) == pytest.approx((0.05 + 0.45) / 2)
    assert calibration_error(said[:0], np.zeros(0, dtype=np.bool_)) == 0.0
