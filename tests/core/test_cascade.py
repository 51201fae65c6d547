"""Two readers in a row: which texts the full reranker reads, and what stands for its answer elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rerank.core.cascade import CascadeReranker, FirstStageReader
from rerank.core.errors import ModelError, ModelOverloaded
from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.ranking import FastModel, RankingModel, rerank
from rerank.core.search import Candidate, Reason
from tests.core.candidates import by_score, candidate

QUERY = "what is a cat"


class Table:
    """A Reranker whose logits stand in a table; *first* (None: all) is how many it has time for."""

    max_tokens = 64

    def __init__(self, name: str, logits: dict[str, float], *, first: int | None = None) -> None:
        self.name = self.fingerprint = name
        self._logits = logits
        self._first = first
        self.asked: list[list[str]] = []
        self.deadlines: list[float | None] = []
        self.fails: ModelError | None = None

    def text_room(self, query: str) -> int:
        return self.max_tokens

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        return [np.zeros((0, 2), dtype=np.int32) for _ in texts]

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        self.asked.append(list(texts))
        self.deadlines.append(deadline)
        if self.fails is not None:
            raise self.fails
        scored = np.arange(len(texts)) < (len(texts) if self._first is None else self._first)
        logits = np.array([self._logits[text] for text in texts], dtype=np.float32) * scored
        return RerankScores(logits, scored, np.full(len(texts), len(self.name), dtype=np.int32), ~scored)


FAST = {"a": 1.0, "b": 4.0, "c": 2.0, "d": 3.0, "e": 0.0}
FULL = {"a": 9.0, "b": 10.0, "c": 20.0, "d": 30.0, "e": 40.0}


def test_the_full_reranker_reads_the_contenders_alone_best_first() -> None:
    """Their logits are its own; the others are estimated on its scale, in the fast one's order."""
    full, fast = Table("full", FULL), Table("fast", FAST)
    scores = CascadeReranker(full, fast, contenders=2).score(QUERY, list("abcde"))

    assert (fast.asked, full.asked) == ([list("abcde")], [["b", "d"]])
    # 4 and 3 became 10 and 30: the mean of 20 and the deviation of 10 stand for 3.5 and 0.5.
    assert scores.logits.tolist() == [-30.0, 10.0, -10.0, 30.0, -50.0]
    assert scores.estimated is not None
    assert scores.estimated.tolist() == [True, False, True, False, True]
    assert scores.tokens.tolist() == [4] * 5
    assert scores.scored.all()


def test_few_texts_are_read_by_the_full_reranker_at_once() -> None:
    """Where all are contenders, nothing is left out, and the fast one is not asked."""
    full, fast = Table("full", FULL), Table("fast", FAST)
    scores = CascadeReranker(full, fast, contenders=5).score(QUERY, list("abcde"))

    assert (fast.asked, scores.logits.tolist(), scores.estimated) == ([], [9, 10, 20, 30, 40], None)


def test_equal_answers_of_the_fast_reranker_keep_their_order() -> None:
    """Of equal ones the first, which the first stage preferred, is the contender."""
    full = Table("full", FULL)
    CascadeReranker(full, Table("fast", dict.fromkeys("abcde", 1.0)), contenders=2).score(QUERY, list("ecabd"))

    assert full.asked == [["e", "c"]]


def test_the_fast_reranker_leaves_half_of_the_time() -> None:
    """What it could not read is not scored, and is no contender; what the full one could not read is estimated."""
    full, fast = Table("full", FULL, first=1), Table("fast", FAST, first=3)
    now = time.monotonic()
    scores = CascadeReranker(full, fast, contenders=2).score(QUERY, list("abcde"), deadline=now + 1000)

    assert full.asked == [["b", "c"]]
    assert full.deadlines == [now + 1000]
    assert fast.deadlines[0] == pytest.approx(now + 500, abs=5)
    assert scores.scored.tolist() == [True, True, True, False, False]
    assert scores.estimated is not None
    assert scores.estimated.tolist() == [True, False, True, False, False]
    assert scores.logits.tolist() == [7, 10, 8, 0, 0]


def test_an_overloaded_full_reranker_leaves_the_fast_ones_order() -> None:
    """A worse order than it could be, and told: better than none."""
    full = Table("full", FULL)
    full.fails = ModelOverloaded("busy")
    scores = CascadeReranker(full, Table("fast", FAST), contenders=2).score(QUERY, list("abcde"))

    assert scores.logits.tolist() == [1, 4, 2, 3, 0]
    assert scores.estimated is not None
    assert scores.estimated.all()


def test_a_failing_reranker_is_an_error() -> None:
    """Only what passes by itself is made up for."""
    full = Table("full", FULL)
    full.fails = ModelError("broken")
    with pytest.raises(ModelError, match="broken"):
        CascadeReranker(full, Table("fast", FAST), contenders=2).score(QUERY, list("abcde"))


def test_how_texts_are_cut_to_fit_is_the_full_rerankers_matter() -> None:
    """A long document is cut into what the deciding model reads."""
    full, fast = Table("full", FULL), Table("fast", FAST)
    fast.max_tokens = 8

    assert CascadeReranker(full, fast, contenders=2).text_room(QUERY) == 64
    assert [len(spans) for spans in CascadeReranker(full, fast, contenders=2).token_spans(["a", "b"])] == [0, 0]


def test_its_fingerprint_is_that_of_both_models_and_the_number() -> None:
    """Scores of another cascade are other scores."""
    made = {
        CascadeReranker(Table(full, FULL), Table(fast, FAST), contenders=contenders).fingerprint
        for full, fast, contenders in (("x", "y", 2), ("x", "y", 3), ("x", "z", 2), ("y", "x", 2))
    }
    assert len(made) == 4


def found(count: int) -> list[Candidate]:
    """Candidates of a hybrid search whose cosines and text scores fall."""
    return [candidate(rank, score=1 / rank, cosine=1 - rank / 100, text=20.0 - rank) for rank in range(1, count + 1)]


def table(name: str, logits: Sequence[float], candidates: Sequence[Candidate]) -> Table:
    """A reranker of these candidates."""
    return Table(name, {one.passage.headed_text: logit for one, logit in zip(candidates, logits, strict=True)})


def test_a_search_without_a_fast_reranker_has_its_contenders_from_the_first_stage() -> None:
    """Vectors and words together say who they are; the others follow on the line, and nothing is missing."""
    candidates = [
        candidate(1, score=0.9, cosine=0.9, text=None),
        candidate(2, score=0.8, cosine=None, text=9.0),
        candidate(3, score=0.7, cosine=0.88, text=8.8),
        candidate(4, score=0.6, cosine=0.86, text=8.6),
        candidate(5, score=0.5, cosine=0.5, text=5.0),
    ]
    full = table("full", [1.0, 2.0, 3.0, 4.0, 5.0], candidates)
    ranking = rerank(RankingModel(full, contenders=2).contending(candidates), QUERY, candidates)

    assert full.asked == [["text 3", "text 4"]]
    assert sorted(entry.candidate.rank for entry in ranking.ranked[:2]) == [3, 4]
    assert (ranking.report.scored, ranking.report.estimated, ranking.report.reason) == (5, 3, None)


@pytest.mark.parametrize(
    ("candidates", "fusion"),
    [
        (by_score([4, 3, 2, 1]), DEFAULT_FUSION),
        ([candidate(rank, score=1 / rank, cosine=1 / rank) for rank in range(1, 5)], DEFAULT_FUSION),
        (found(4), ScoreFusion({})),
        (found(2), DEFAULT_FUSION),
    ],
    ids=["another engine's hits", "vectors alone", "the cross-encoder alone decides", "no more than are read"],
)
def test_all_are_read_where_the_first_stage_cannot_choose(candidates: list[Candidate], fusion: ScoreFusion) -> None:
    """By vectors or words alone it knows too little to keep a candidate from being read."""
    model = RankingModel(Table("full", FULL), fusion, contenders=2)

    assert model.contending(candidates) is model


def test_where_the_first_stage_can_choose_no_fast_reranker_is_asked() -> None:
    """Vectors and words together choose better than a small model, and at once."""
    candidates = found(6)
    fast, full = table("fast", [0.0] * 6, candidates), table("full", [1.0] * 6, candidates)
    model = RankingModel(full, contenders=2, fast=FastModel(fast))
    rerank(model.contending(candidates), QUERY, candidates)

    assert (fast.asked, full.asked) == ([], [["text 1", "text 2"]])


def test_a_fast_reranker_chooses_with_what_the_first_stage_knows() -> None:
    """Its own fusion says how; a foreign engine's scores are enough beside it."""
    candidates = by_score([4.0, 3.0, 2.0, 1.0, 0.0])
    fast = table("fast", [0.0, 0.0, 0.0, 0.0, 1.0], candidates)
    weights = {0.1: ["text 5", "text 1"], 10.0: ["text 1", "text 2"]}
    for weight, expected in weights.items():
        full = table("full", [1.0, 2.0, 3.0, 4.0, 5.0], candidates)
        model = RankingModel(full, contenders=2, fast=FastModel(fast, ScoreFusion({"first_stage": weight})))
        rerank(model.contending(candidates), QUERY, candidates)
        assert full.asked == [expected]


def test_a_search_whose_time_is_over_keeps_what_was_read() -> None:
    """What no model has read is not estimated from a part of the contenders: it follows, and the time is the reason."""
    candidates = found(6)
    full = Table("full", dict.fromkeys([one.passage.headed_text for one in candidates], 1.0), first=1)
    ranking = rerank(RankingModel(full, contenders=3).contending(candidates), QUERY, candidates)

    assert (ranking.report.scored, ranking.report.estimated, ranking.report.reason) == (1, 0, Reason.TIMEOUT)
    assert [entry.candidate.rank for entry in ranking.ranked] == [1, 2, 3, 4, 5, 6]


def test_a_search_whose_only_reranker_is_overloaded_says_so() -> None:
    """The first stage's standing is no reading that could stand for one."""
    candidates = found(6)
    full = table("full", [1.0] * 6, candidates)
    full.fails = ModelOverloaded("busy")
    ranking = rerank(RankingModel(full, contenders=3).contending(candidates), QUERY, candidates)

    assert (ranking.report.applied, ranking.report.reason) == (False, Reason.OVERLOADED)


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=12),
    st.floats(0.1, 5.0),
    st.floats(-9.0, 9.0),
)
def test_a_full_reranker_that_goes_with_the_first_stage_is_known_from_a_part(
    standing: list[float], slope: float, level: float
) -> None:
    """Where its logits are a straight line of the standing, reading three gives the order of reading all."""
    texts = [str(place) for place in range(len(standing))]
    stands = np.round(np.array(standing), 2)
    full = Table("full", dict(zip(texts, (slope * stands + level).tolist(), strict=True)))
    scores = CascadeReranker(full, FirstStageReader(full, stands), 3).score(QUERY, texts)

    if len(set(stands[np.argsort(-stands, kind="stable")[:3]].tolist())) > 1:
        np.testing.assert_allclose(scores.logits, slope * stands + level, atol=0.05 * (1 + slope))
    assert scores.estimated is not None
    assert scores.estimated.sum() == len(texts) - 3


def test_features_are_those_of_all_candidates() -> None:
    """What was not read in time by the fast reranker must not shift where the others stand."""
    candidates = by_score([3.0, 2.0, 1.0, 0.0])
    names = [one.passage.headed_text for one in candidates]
    fast, full = Table("fast", dict.fromkeys(names, 0.0), first=3), Table("full", dict.fromkeys(names, 1.0))
    known = FirstStageFeatures.of(candidates)
    CascadeReranker(full, fast, 2, ScoreFusion({"first_stage": 1.0}), known).score(QUERY, names)

    assert full.asked == [names[:2]]
