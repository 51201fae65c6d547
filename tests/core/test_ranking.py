"""Rules for the final order of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from rerank.core.calibration import Calibration, QueryEvidence
from rerank.core.fusion import CROSS_ENCODER_ALONE, ScoreFusion
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.ranking import RankingModel, drop_below, rerank
from rerank.core.search import Candidate, RankedCandidate, Reason
from tests.core.candidates import by_score, candidate
from tests.fakes import FakeReranker


class FixedReranker(FakeReranker):
    """Reranker with fixed logits for the first *scored* texts."""

    def __init__(self, logits: Sequence[float], *, scored: int | None = None) -> None:
        super().__init__(name="fixed")
        self._logits = np.array(logits, dtype=np.float32)
        self._scored = np.arange(len(logits)) < (len(logits) if scored is None else scored)

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        del query, texts, deadline, cancellation
        tokens = np.ones(len(self._logits), dtype=np.int32)
        return RerankScores(
            np.where(self._scored, self._logits, 0).astype(np.float32),
            self._scored,
            tokens,
            np.zeros_like(self._scored),
        )


def ranked(model: RankingModel, candidates: Sequence[Candidate]) -> list[str]:
    return [entry.candidate.doc_id for entry in rerank(model, "q", candidates).ranked]


def test_equal_scores_keep_first_stage_order() -> None:
    """Ties are broken deterministically."""
    model = RankingModel(FixedReranker([1.0, 1.0, 1.0]), fusion=CROSS_ENCODER_ALONE)
    assert ranked(model, by_score([3, 2, 1])) == ["d1", "d2", "d3"]


def test_constant_logits_keep_first_stage_order() -> None:
    """The order is the same with a fusion."""
    model = RankingModel(FixedReranker([0.5, 0.5, 0.5]), fusion=ScoreFusion({"score_share": 2.0, "lexical": 1.0}))
    assert ranked(model, by_score([3, 2, 1])) == ["d1", "d2", "d3"]


def test_scores_are_calibrated_fused_scores() -> None:
    """The explanation has features, weights, the sum and its log-odds."""
    calibration = Calibration(0.5, -1.0, {"best_cosine": QueryEvidence(2.0, 0.5)})
    model = RankingModel(FixedReranker([1.0, 3.0]), fusion=ScoreFusion({"cosine": 8.0}), calibration=calibration)
    first, second = rerank(model, "q", [candidate(1, cosine=1.0), candidate(2, cosine=0.5)]).ranked

    assert [first.candidate.doc_id, second.candidate.doc_id] == ["d1", "d2"]
    assert first.explanation.fusion is not None
    assert first.explanation.fusion.to_json() == {
        "fused": 5.8,
        "log_odds": 2.9,
        "parts": [
            {"feature": "logit", "value": 1.0, "weight": 1.0, "contribution": 1.0},
            {"feature": "cosine", "value": 0.6, "weight": 8.0, "contribution": 4.8},
        ],
    }
    assert first.score == pytest.approx(1 / (1 + np.exp(-2.9)))
    assert second.score == pytest.approx(1 / (1 + np.exp(-1.9)))


def test_unscored_candidates_follow_in_first_stage_order() -> None:
    """A deadline leaves candidates unscored. Their scores are below those of all scored candidates."""
    model = RankingModel(FixedReranker([0.0, 2.0, 0, 0], scored=2), fusion=CROSS_ENCODER_ALONE)
    ranking = rerank(model, "q", by_score([4, 3, 2, 1]))
    assert [entry.candidate.doc_id for entry in ranking.ranked] == ["d2", "d1", "d3", "d4"]
    assert ranking.report.reason is Reason.TIMEOUT
    scores = [entry.score for entry in ranking.ranked]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


def test_min_score_applies_to_calibrated_scores() -> None:
    """Candidates below min_score are dropped and counted."""
    model = RankingModel(
        FixedReranker([2.0, -2.0]), fusion=CROSS_ENCODER_ALONE, calibration=Calibration(1.0, -3.0), warning="weak"
    )
    remaining = drop_below(rerank(model, "q", by_score([2, 1])), 0.2)
    assert [entry.candidate.doc_id for entry in remaining.ranked] == ["d1"]
    assert (remaining.report.dropped, remaining.report.warning) == (1, "weak")


@pytest.mark.parametrize("text", ["", " \t\n", "\u00a0\u2003"])
@pytest.mark.parametrize("fusion", [CROSS_ENCODER_ALONE, ScoreFusion({"cosine": 1.0, "score_share": 10.0})])
def test_candidate_without_text_ranks_last(text: str, fusion: ScoreFusion) -> None:
    """Its features and its logit have no meaning, so the model does not score it."""
    reranker = FakeReranker()
    ranking = rerank(RankingModel(reranker, fusion=fusion), "tea", _with_texts(text, "coffee", "tea"))
    last = ranking.ranked[-1]
    assert [entry.candidate.doc_id for entry in ranking.ranked] == ["d3", "d2", "d1"]
    assert [entry.rank for entry in ranking.ranked] == [1, 2, 3]
    assert (last.score, last.explanation.empty_text, last.explanation.logit) == (0.0, True, None)
    assert [entry.explanation.empty_text for entry in ranking.ranked[:2]] == [False, False]
    assert (ranking.report.candidates, ranking.report.scored) == (3, 2)
    assert reranker.calls == [("tea", ("coffee", "tea"))]


def test_candidates_without_text_keep_first_stage_order_after_the_unscored() -> None:
    """The deadline leaves the third text unscored: it may be relevant."""
    model = RankingModel(FixedReranker([1.0, 0.0], scored=1), fusion=CROSS_ENCODER_ALONE)
    ranking = rerank(model, "tea", _with_texts("", "tea", "tea", " "))
    assert [entry.candidate.doc_id for entry in ranking.ranked] == ["d2", "d3", "d1", "d4"]
    assert _scores_descend(ranking.ranked)


def test_only_candidates_without_text_keep_first_stage_order() -> None:
    """There is nothing to score."""
    reranker = FakeReranker()
    ranking = rerank(RankingModel(reranker), "tea", _with_texts("", " "))
    assert [(entry.candidate.doc_id, entry.score) for entry in ranking.ranked] == [("d1", 0.0), ("d2", 0.0)]
    assert reranker.calls == []


def test_min_score_drops_candidates_without_text() -> None:
    """Unscored texts stay because they may be relevant. A candidate without text is never relevant."""
    ranking = rerank(RankingModel(FakeReranker(), fusion=CROSS_ENCODER_ALONE), "tea", _with_texts("", "tea"))
    assert [entry.candidate.doc_id for entry in drop_below(ranking, 0.01).ranked] == ["d2"]


def _with_texts(*texts: str) -> list[Candidate]:
    """Returns candidates with these texts; the first one has the best features."""
    scored = [candidate(rank, cosine=1 / rank, text=1 / rank) for rank in range(1, len(texts) + 1)]
    return [
        replace(one, passage=replace(one.passage, text=text, end=len(text)))
        for one, text in zip(scored, texts, strict=True)
    ]


def _scores_descend(entries: Sequence[RankedCandidate]) -> bool:
    scores = [entry.score for entry in entries]
    return scores == sorted(scores, reverse=True)
