"""Rules for fusing logits with first-stage features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.features import Feature, FirstStageFeatures
from rerank.core.fusion import CROSS_ENCODER_ALONE, DEFAULT_FUSION, ScoreFusion
from rerank.core.search import Candidate
from tests.core.candidates import by_score, candidate

FEATURES: tuple[Feature, ...] = ("cosine", "lexical", "score_share")
QUERY = "text of the query"

number = st.floats(-20, 20, width=32)
maybe = st.one_of(st.none(), st.floats(0, 1, width=32))
weights = st.dictionaries(st.sampled_from(FEATURES), st.floats(0, 5), max_size=len(FEATURES))


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[Candidate], list[float]]:
    """Draws candidates with arbitrary scores, and their logits."""
    drawn = draw(st.lists(st.tuples(number, maybe, maybe, number), min_size=1, max_size=12))
    candidates = [
        candidate(rank, score=score, cosine=cosine, text=text)
        for rank, (score, cosine, text, _) in enumerate(drawn, start=1)
    ]
    return candidates, [logit for *_, logit in drawn]


def fused(fusion: ScoreFusion, candidates: list[Candidate], logits: list[float]) -> list[float]:
    features = FirstStageFeatures.of(QUERY, candidates)
    scores: list[float] = fusion.fuse(np.array(logits, dtype=np.float32), features).scores.tolist()
    return scores


def test_default_fusion_adds_weighted_features_to_the_logit() -> None:
    """Each feature counts relative to its neutral value. The score of another engine is a fraction of the best one."""
    candidates = [candidate(1, score=3.0), candidate(2, score=1.5)]
    overlap = FirstStageFeatures.of(QUERY, candidates).columns["lexical"]
    words = 8.0 * (overlap - 0.3)
    expected = [2.0 + 1.2 * 0.5 + words[0], -2.0 + 1.2 * 0.0 + words[1]]
    assert fused(DEFAULT_FUSION, candidates, [2.0, -2.0]) == pytest.approx(expected)


def test_fusion_without_weights_returns_the_logits() -> None:
    assert fused(CROSS_ENCODER_ALONE, by_score([3.0, 1.0]), [-2.0, 2.0]) == [-2.0, 2.0]


@given(lists(), weights)
def test_higher_logit_wins_between_equal_first_stage_features(
    drawn: tuple[list[Candidate], list[float]], given_weights: dict[Feature, float]
) -> None:
    """The fused score increases with the logit."""
    candidates, logits = drawn
    twin = candidates[0]
    scores = fused(ScoreFusion(given_weights), [*candidates, twin], [*logits, logits[0] + 1.0])
    assert scores[-1] > scores[0]


@given(lists(), weights)
def test_higher_feature_never_lowers_the_fused_score(
    drawn: tuple[list[Candidate], list[float]], given_weights: dict[Feature, float]
) -> None:
    """With equal logits, a candidate with higher first-stage values never ranks lower."""
    candidates, logits = drawn
    better, worse = candidate(1, score=30.0, cosine=1.0, text=1.0), candidate(99, score=-30.0)
    scores = fused(ScoreFusion(given_weights), [better, *candidates, worse], [0.5, *logits, 0.5])
    assert scores[0] >= scores[-1]


@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), number), min_size=3, max_size=12),
    st.floats(0, 200),
    st.floats(0, 200),
)
def test_adding_a_candidate_never_swaps_two_others(
    drawn: list[tuple[float, float]], cosine_weight: float, lexical_weight: float
) -> None:
    """The scale of features is fixed, so the score of a candidate does not depend on the others."""
    candidates = [candidate(rank, cosine=cosine) for rank, (cosine, _) in enumerate(drawn, start=1)]
    logits = [logit for _, logit in drawn]
    fusion = ScoreFusion({"cosine": cosine_weight, "lexical": lexical_weight})
    assert fused(fusion, candidates, logits)[:-1] == fused(fusion, candidates[:-1], logits[:-1])


@given(lists(), weights)
def test_contributions_sum_to_the_fused_score(
    drawn: tuple[list[Candidate], list[float]], given_weights: dict[Feature, float]
) -> None:
    """The explanation matches the computation."""
    candidates, logits = drawn
    result = ScoreFusion(given_weights).fuse(
        np.array(logits, dtype=np.float32), FirstStageFeatures.of(QUERY, candidates)
    )
    assert np.allclose(result.contributions.sum(axis=1), result.scores)
    assert result.features[0] == "logit"
    assert len(result.features) == len(set(result.features)) == result.values.shape[1]


@given(st.floats(0, 5))
def test_missing_feature_adds_nothing(weight: float) -> None:
    """A text search has no cosines, and the fused scores stay near the logits."""
    candidates = [candidate(1, text=2.0), candidate(2, text=1.0)]
    assert fused(ScoreFusion({"cosine": weight}), candidates, [1.0, 0.5]) == [1.0, 0.5]


@given(weights, st.floats(0.1, 10))
def test_scaled_fusion_keeps_the_order_of_scaled_logits(given_weights: dict[Feature, float], factor: float) -> None:
    """A reranker with wider logits gets the same order."""
    candidates = [candidate(rank, cosine=1 / rank, text=3.0 - rank) for rank in range(1, 4)]
    logits = [0.25, 0.5, -1.0]
    plain = fused(ScoreFusion(given_weights), candidates, logits)
    scaled = fused(ScoreFusion(given_weights).scaled(factor), candidates, [factor * logit for logit in logits])
    assert np.allclose(np.array(plain) * factor, scaled, atol=1e-5)


def test_missing_cosine_becomes_the_lowest_cosine() -> None:
    """A document outside the results of the vector search is at most as near as the last result."""
    candidates = [candidate(1, cosine=0.9, text=4.0), candidate(2, text=1.0), candidate(3, cosine=0.3)]
    features = FirstStageFeatures.of(QUERY, candidates)
    assert features.columns["cosine"].tolist() == [0.9, 0.3, 0.3]
    assert features.columns["score_share"].tolist() == [1.0, 0.25, 0.0]
    assert features.best_cosine == 0.9
    assert FirstStageFeatures.of(QUERY, by_score([1.0])).best_cosine is None


def test_scores_without_a_scale_are_not_a_feature() -> None:
    """Sorted hits have scores of 0 or less; a vector search has cosines instead of a text score."""
    assert "score_share" not in FirstStageFeatures.of(QUERY, by_score([0.0, -1.0])).columns
    assert "score_share" not in FirstStageFeatures.of(QUERY, [candidate(1, score=0.5, cosine=0.5)]).columns
