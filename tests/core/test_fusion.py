"""Rules for fusing logits with first-stage features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.features import Feature, FirstStageFeatures, logit_rank, standardised
from rerank.core.fusion import CROSS_ENCODER_ALONE, DEFAULT_FUSION, ScoreFusion
from rerank.core.search import Candidate
from tests.core.candidates import by_score, candidate

FEATURES: tuple[Feature, ...] = ("logit_rank", "first_stage", "cosine", "text_score", "vector_rank", "text_rank")

number = st.floats(-20, 20, width=32)
maybe = st.one_of(st.none(), st.floats(0, 1, width=32))
weights = st.dictionaries(st.sampled_from(FEATURES), st.floats(0, 5), max_size=len(FEATURES))


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[Candidate], list[float]]:
    """Candidates with arbitrary scores, and their logits."""
    drawn = draw(st.lists(st.tuples(number, maybe, maybe, number), min_size=1, max_size=12))
    found = [
        candidate(rank, score=score, cosine=cosine, text=text)
        for rank, (score, cosine, text, _) in enumerate(drawn, start=1)
    ]
    return found, [logit for *_, logit in drawn]


def fused(fusion: ScoreFusion, candidates: list[Candidate], logits: list[float]) -> list[float]:
    features = FirstStageFeatures.of(candidates)
    scores: list[float] = fusion.fuse(np.array(logits, dtype=np.float32), features).scores.tolist()
    return scores


def test_default_fusion_is_the_sum_of_logit_and_first_stage() -> None:
    """logit + s x z: equal influence, in units of the logit."""
    assert fused(DEFAULT_FUSION, by_score([3.0, 1.0]), [-2.0, 2.0]) == pytest.approx([0.0, 0.0])
    assert fused(DEFAULT_FUSION, by_score([3.0, 1.0]), [2.0, -2.0]) == pytest.approx([4.0, -4.0])


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


@given(lists(), weights)
def test_contributions_sum_to_the_fused_score(
    drawn: tuple[list[Candidate], list[float]], given_weights: dict[Feature, float]
) -> None:
    """The explanation matches the computation."""
    candidates, logits = drawn
    found = ScoreFusion(given_weights).fuse(np.array(logits, dtype=np.float32), FirstStageFeatures.of(candidates))
    assert np.allclose(found.contributions.sum(axis=1), found.scores)
    assert found.features[0] == "logit"
    assert len(found.features) == len(set(found.features)) == found.values.shape[1]


@given(st.lists(number, min_size=1, max_size=12), weights)
def test_weight_of_a_missing_feature_goes_to_the_first_stage_score(
    scores: list[float], given_weights: dict[Feature, float]
) -> None:
    """The score of another engine has as much influence as cosines and text scores together."""
    logits = [float(i) for i in range(len(scores))]
    rank_weight = given_weights.get("logit_rank", 0.0)
    moved = sum(given_weights.values()) - rank_weight
    alone = ScoreFusion({"logit_rank": rank_weight, "first_stage": moved})
    candidates = by_score(scores)
    assert fused(ScoreFusion(given_weights), candidates, logits) == pytest.approx(fused(alone, candidates, logits))


@given(st.floats(-1e6, 1e6), st.integers(0, 12))
def test_constant_column_is_standardised_to_zeros(value: float, n: int) -> None:
    """Rounding noise is not amplified."""
    assert standardised(np.full(n, value)).tolist() == [0.0] * n


@given(st.lists(number, min_size=2, max_size=12, unique=True))
def test_standardised_values_have_zero_mean_and_unit_deviation(values: list[float]) -> None:
    """And keep their order."""
    found = standardised(np.array(values))
    if found.any():
        assert found.mean() == pytest.approx(0.0, abs=1e-6)
        assert found.std() == pytest.approx(1.0, abs=1e-6)
        assert (np.diff(found[np.argsort(values)]) >= 0).all()


def test_equal_logits_have_equal_ranks() -> None:
    """Ranks do not depend on the input order of equal logits."""
    ranks = logit_rank(np.array([1.0, 3.0, 1.0, 2.0]))
    assert ranks[0] == ranks[2] < ranks[3] < ranks[1]


def test_missing_cosine_becomes_the_lowest_cosine() -> None:
    """A document that vector search did not return is at most as near as the last one it did; same for text scores."""
    candidates = [candidate(1, cosine=0.9, text=4.0), candidate(2, text=1.0), candidate(3, cosine=0.3)]
    features = FirstStageFeatures.of(candidates)
    assert features.columns["cosine"].tolist() == standardised(np.array([0.9, 0.3, 0.3])).tolist()
    assert features.columns["text_score"].tolist() == standardised(np.array([4.0, 1.0, 1.0])).tolist()
    assert features.columns["vector_rank"].tolist() == standardised(np.array([1 / 61, 0.0, 1 / 63])).tolist()
    assert features.best_cosine == 0.9
    assert FirstStageFeatures.of(by_score([1.0])).best_cosine is None
