"""Rules for rerank calls that fuse the cross-encoder's logit with cosine and word overlap."""

from __future__ import annotations

import time

import pytest

from rerank.core.calibration import Calibration
from rerank.core.fusion import CROSS_ENCODER_ALONE, ScoreFusion
from rerank.core.long_texts import BEST_WINDOW
from rerank.core.ranking import RankingModel
from rerank.core.stop_condition import StopCondition
from rerank.models.output_cache import OutputCache
from rerank.models.passage_similarity import PassageSimilarity
from rerank.service.dialects.ranking import TextRanking, rank_texts
from tests.fakes import FakeEncoder, FakeReranker

QUERY = "green tea"
TEXTS = ["green tea leaves", "a green tree", "black coffee", "tea"]
FUSION = ScoreFusion({"cosine": 10.0, "lexical": 10.0})


def ranked(model: RankingModel, *, raw_scores: bool = False, stop: StopCondition | None = None) -> TextRanking:
    similarity = PassageSimilarity(FakeEncoder(), OutputCache(megabytes=1))
    return rank_texts(
        model,
        QUERY,
        TEXTS,
        limits=BEST_WINDOW,
        similarity=similarity,
        raw_scores=raw_scores,
        stop=stop or StopCondition(),
    )


def order(ranking: TextRanking) -> list[int]:
    return [result.index for result in ranking.results]


def test_rerank_call_fuses_logit_cosine_and_words() -> None:
    """Scores are calibrated fused scores, and decrease."""
    model = RankingModel(FakeReranker(), fusion=FUSION, calibration=Calibration(0.1, 0.0))
    ranking = ranked(model)
    assert order(ranking)[0] == 0
    assert order(ranking)[-1] == 2
    scores = [result.score for result in ranking.results]
    assert scores == sorted(scores, reverse=True)
    assert ranking.report.scored == len(TEXTS)


def test_raw_scores_are_logits_in_their_own_order() -> None:
    """A client that requests raw scores gets logits, and an order that matches them."""
    model = RankingModel(FakeReranker(), fusion=FUSION)
    alone = rank_texts(model, QUERY, TEXTS, limits=BEST_WINDOW, raw_scores=True)
    assert ranked(model, raw_scores=True).results == alone.results


def test_fusion_none_ranks_by_the_cross_encoder_alone() -> None:
    """The value `none` of the setting `fusion` also applies to rerank calls."""
    model = RankingModel(FakeReranker(), fusion=CROSS_ENCODER_ALONE)
    assert ranked(model).results == rank_texts(model, QUERY, TEXTS, limits=BEST_WINDOW).results


def test_passed_deadline_ranks_without_cosines() -> None:
    """After the deadline, no vectors are computed, so the logits alone decide the order."""
    model = RankingModel(FakeReranker(), fusion=FUSION)
    late = StopCondition(deadline=time.monotonic() - 1)
    alone = rank_texts(model, QUERY, TEXTS, limits=BEST_WINDOW, stop=late)
    assert ranked(model, stop=late).results == alone.results


@pytest.mark.parametrize(("fitted", "scored"), [(True, 2), (False, 4)])
def test_only_a_fitted_fusion_selects_contenders(fitted: bool, scored: int) -> None:
    """An unfitted first stage must not decide which texts a user's own reranker scores."""
    reranker = FakeReranker()
    ranking = ranked(RankingModel(reranker, fusion=FUSION, contenders=2, fitted=fitted))
    assert (ranking.report.scored, ranking.report.estimated) == (scored, len(TEXTS) - scored)
    assert sorted(order(ranking)) == [0, 1, 2, 3]
    assert ranking.report.reason is None
