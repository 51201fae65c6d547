"""Ranking lists with hard negatives."""

from __future__ import annotations

import pytest

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.negatives import build_ranking_lists
from rerank.models.training.data.ranking_lists import LabelledQuery, RankingList, TrainingData
from tests.fakes import FakeEncoder

POOL = (
    "green tea in the cup",
    "black tea in the pot",
    "tea and milk",
    "a dog runs",
    "cats sleep",
    "green tea in the cup .",
)
LABELLED = (LabelledQuery("green tea cup", {POOL[0]: 1.0}, ("cats sleep",)), LabelledQuery("a dog", {POOL[3]: 0.5}))


def build(data: TrainingData, *, negatives: int = 3, max_negatives: int = 3, seed: int = 0) -> list[RankingList]:
    return build_ranking_lists(data, FakeEncoder(), negatives=negatives, max_negatives=max_negatives, seed=seed)


def test_labelled_negatives_come_first_and_hard_ones_fill_up() -> None:
    """A labelled negative is more reliable than a drawn one."""
    first, second = build(TrainingData(labelled=LABELLED, pool=POOL))
    assert first.passages[:2] == (POOL[0], "cats sleep")
    assert first.labels == (1.0, 0.0, 0.0, 0.0)
    assert second.labels[0] == 0.5
    assert len({*second.passages}) == 4


def test_duplicate_of_a_positive_is_skipped() -> None:
    """It would be taught as irrelevant."""
    for seed in range(10):
        first, _ = build(TrainingData(labelled=LABELLED, pool=POOL), seed=seed)
        assert POOL[5] not in first.passages


def test_every_passage_gets_a_cosine() -> None:
    """The cosine with the list's query."""
    encoder = FakeEncoder()
    listed = RankingList("tea", ("tea", "dog", "cat"), (1.0, 0.0, 0.0))
    for ranking_list in build(TrainingData(lists=(listed,), labelled=LABELLED, pool=POOL)):
        query, *_ = encoder.encode_queries([ranking_list.query])
        expected = [float(vector @ query) for vector in encoder.encode_documents(ranking_list.passages)]
        assert ranking_list.teacher == pytest.approx(expected, abs=1e-5)


def test_scored_lists_stay_unchanged_and_others_are_cut() -> None:
    """Only lists without a teacher's values are encoded."""
    listed = RankingList("tea", ("tea", "dog", "cat"), (1.0, 0.0, 0.0), (0.9, 0.2, 0.1))
    scored = RankingList("tea", ("tea", "dog", "cat"), (0.0, 0.0, 0.0), scores=(3.0, 1.0, 2.0))
    unscored = RankingList("dog", ("a dog", "tea", "cat"), (1.0, 0.0, 0.0))
    *unchanged, cut = build(TrainingData(lists=(listed, scored, unscored)), max_negatives=1)
    assert unchanged == [listed, scored]
    assert (cut.passages, len(cut.teacher)) == (("a dog", "tea"), 2)


def test_equal_seeds_give_equal_lists() -> None:
    """The draw depends on the seed only."""
    data = TrainingData(labelled=LABELLED, pool=POOL)
    assert build(data, negatives=2, seed=5) == build(data, negatives=2, seed=5)


def test_pool_without_negatives_is_refused() -> None:
    """A list needs at least one negative."""
    data = TrainingData(labelled=(LabelledQuery("tea", {"tea": 1.0}),), pool=("tea",))
    with pytest.raises(TrainingDataError, match="Add passages"):
        build(data)
