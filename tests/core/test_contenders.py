"""Rules for the candidates that the cross-encoder scores, and for the estimated logits of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.contenders import best_positions, estimated_logits
from rerank.core.errors import ModelOverloaded
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.ranking import RankingModel, drop_below, rerank
from rerank.core.search import Candidate, Reason
from tests.core.candidates import by_score, candidate
from tests.fakes import FakeReranker

QUERY = "what is a cat"


class TableReranker(FakeReranker):
    """Reranker with a table of logits by text. *scored*: number of texts before the deadline; None sets no deadline."""

    def __init__(self, logits: dict[str, float], *, scored: int | None = None, overloaded: bool = False) -> None:
        super().__init__(name="table")
        self._logits = logits
        self._scored = scored
        self._overloaded = overloaded

    @property
    def scored_texts(self) -> list[str]:
        """Texts of the only call."""
        ((_, texts),) = self.calls
        return list(texts)

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        del deadline, cancellation
        if self._overloaded:
            raise ModelOverloaded("busy")
        self.calls.append((query, tuple(texts)))
        scored = np.arange(len(texts)) < (len(texts) if self._scored is None else self._scored)
        logits = np.array([self._logits[text] for text in texts], dtype=np.float32) * scored
        return RerankScores(logits, scored, np.full(len(texts), 5, dtype=np.int32), ~scored)


def hybrid(count: int) -> list[Candidate]:
    """Returns candidates of a hybrid search with decreasing cosines and text scores."""
    return [candidate(rank, score=1 / rank, cosine=1 - rank / 100, text=20.0 - rank) for rank in range(1, count + 1)]


def table(logits: Sequence[float], candidates: Sequence[Candidate], *, scored: int | None = None) -> TableReranker:
    """Returns a reranker with a logit for each of *candidates*."""
    texts = [candidate.passage.headed_text for candidate in candidates]
    return TableReranker(dict(zip(texts, logits, strict=True)), scored=scored)


def test_best_positions_with_ties_keep_candidate_order() -> None:
    """Of equal first-stage scores, the earlier candidate is the contender."""
    assert best_positions(np.array([1.0, 3.0, 3.0, 2.0]), 2).tolist() == [1, 2]


def test_estimates_have_mean_and_deviation_of_the_logits() -> None:
    """The first-stage scores 4 and 3 have the logits 10 and 30: mean 20 and deviation 10 replace 3.5 and 0.5."""
    estimates = estimated_logits(np.array([1.0, 4, 2, 3, 0]), np.array([1, 3]), np.array([10, 30], dtype=np.float32))
    assert estimates.tolist() == [-30.0, 30.0, -10.0, 10.0, -50.0]


def test_estimates_with_equal_first_stage_scores_are_finite() -> None:
    """A deviation of 0 leaves the scale unchanged."""
    estimates = estimated_logits(np.array([2.0, 2, 1]), np.array([0, 1]), np.array([5, 7], dtype=np.float32))
    assert estimates.tolist() == [6.0, 6.0, 5.0]


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=12),
    st.floats(0.1, 5.0),
    st.floats(-9.0, 9.0),
)
def test_logits_linear_in_the_first_stage_are_estimated_exactly(
    scores: list[float], slope: float, offset: float
) -> None:
    """Three contenders determine the line."""
    first_stage = np.round(np.array(scores), 2)
    positions = best_positions(first_stage, 3)
    if len(set(first_stage[positions].tolist())) > 1:
        expected = slope * first_stage + offset
        estimates = estimated_logits(first_stage, positions, expected[positions].astype(np.float32))
        np.testing.assert_allclose(estimates, expected, atol=0.05 * (1 + slope))


def test_hybrid_search_scores_only_the_contenders() -> None:
    """Cosines and words together select them. The others are ranked by an estimate and reported as unscored."""
    candidates = [
        candidate(1, score=0.9, cosine=0.9, text=None),
        candidate(2, score=0.8, cosine=None, text=9.0),
        candidate(3, score=0.7, cosine=0.88, text=8.8),
        candidate(4, score=0.6, cosine=0.86, text=8.6),
        candidate(5, score=0.5, cosine=0.5, text=5.0),
    ]
    reranker = table([1.0, 2.0, 3.0, 4.0, 5.0], candidates)
    ranking = rerank(RankingModel(reranker, contenders=2), QUERY, candidates)

    assert reranker.scored_texts == ["text 3", "text 4"]
    assert sorted(entry.candidate.rank for entry in ranking.ranked[:2]) == [3, 4]
    assert (ranking.report.scored, ranking.report.estimated, ranking.report.reason) == (2, 3, None)


def test_unscored_candidates_are_explained_by_their_estimate() -> None:
    """An estimate never appears as a logit, and no tokens are reported."""
    candidates = hybrid(3)
    ranking = rerank(RankingModel(table([1.0, 2.0, 3.0], candidates), contenders=2), QUERY, candidates)
    unscored = ranking.ranked[2].explanation

    assert (unscored.logit, unscored.tokens, unscored.truncated) == (None, None, None)
    assert unscored.fusion is not None
    assert unscored.fusion.parts[0].feature == "estimated_logit"
    assert unscored.fusion.parts[0].value == unscored.estimated_logit
    assert [entry.explanation.estimated_logit for entry in ranking.ranked[:2]] == [None, None]


def test_min_score_drops_candidates_by_estimated_score() -> None:
    """The score of an unscored candidate is calibrated from the estimate, so it is comparable with min_score."""
    candidates = hybrid(4)
    ranking = rerank(RankingModel(table([4.0, 3.0, 0.0, 0.0], candidates), contenders=2), QUERY, candidates)
    assert len(drop_below(ranking, ranking.ranked[1].score).ranked) == 2


@pytest.mark.parametrize(
    ("candidates", "fusion"),
    [
        (by_score([4, 3, 2, 1]), DEFAULT_FUSION),
        (hybrid(4), ScoreFusion({})),
        (hybrid(2), DEFAULT_FUSION),
    ],
    ids=["hits of another engine", "cross-encoder only", "no more candidates than contenders"],
)
def test_first_stage_that_cannot_select_contenders_scores_all_candidates(
    candidates: list[Candidate], fusion: ScoreFusion
) -> None:
    """Words alone are not enough to leave a candidate unscored."""
    reranker = table([1.0] * len(candidates), candidates)
    ranking = rerank(RankingModel(reranker, fusion, contenders=2), QUERY, candidates)
    assert (ranking.report.scored, ranking.report.estimated) == (len(candidates), 0)


def test_deadline_before_all_contenders_are_scored_gives_no_estimates() -> None:
    """Without the logits of all contenders, the other candidates follow in first-stage order."""
    candidates = hybrid(6)
    ranking = rerank(RankingModel(table([1.0] * 6, candidates, scored=1), contenders=3), QUERY, candidates)

    assert (ranking.report.scored, ranking.report.estimated, ranking.report.reason) == (1, 0, Reason.TIMEOUT)
    assert [entry.candidate.rank for entry in ranking.ranked] == [1, 2, 3, 4, 5, 6]


def test_overloaded_reranker_returns_first_stage_order() -> None:
    """Without logits there are no estimates."""
    ranking = rerank(RankingModel(TableReranker({}, overloaded=True), contenders=3), QUERY, hybrid(6))
    assert (ranking.report.applied, ranking.report.reason) == (False, Reason.OVERLOADED)
