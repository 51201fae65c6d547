"""Lists from judgments."""

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
JUDGED = (LabelledQuery("green tea cup", {POOL[0]: 1.0}, ("cats sleep",)), LabelledQuery("a dog", {POOL[3]: 0.5}))


def completed(data: TrainingData, *, negatives: int = 3, known: int = 3, seed: int = 0) -> list[RankingList]:
    return build_ranking_lists(data, FakeEncoder(), negatives=negatives, known=known, seed=seed)


def test_known_negatives_come_first_and_mined_ones_fill_up() -> None:
    """What a judge refused is worth more than what an encoder guesses."""
    first, second = completed(TrainingData(judged=JUDGED, pool=POOL))
    assert first.passages[:2] == (POOL[0], "cats sleep")
    assert first.labels == (1.0, 0.0, 0.0, 0.0)
    assert second.labels[0] == 0.5
    assert len({*second.passages}) == 4


def test_a_copy_of_an_answer_is_no_negative() -> None:
    """The same words once more would be taught as irrelevant."""
    for seed in range(10):
        first, _ = completed(TrainingData(judged=JUDGED, pool=POOL), seed=seed)
        assert POOL[5] not in first.passages


def test_the_teacher_reads_every_passage() -> None:
    """One cosine a passage, of the query with it."""
    encoder = FakeEncoder()
    given = RankingList("tea", ("tea", "dog", "cat"), (1.0, 0.0, 0.0))
    for one in completed(TrainingData(lists=(given,), judged=JUDGED, pool=POOL)):
        query, *_ = encoder.encode_queries([one.query])
        expected = [float(vector @ query) for vector in encoder.encode_documents(one.passages)]
        assert one.teacher == pytest.approx(expected, abs=1e-5)


def test_given_lists_keep_what_was_read_and_are_cut_where_nothing_was() -> None:
    """Nothing is encoded that was not asked for, and nothing thrown away that was."""
    given = RankingList("tea", ("tea", "dog", "cat"), (1.0, 0.0, 0.0), (0.9, 0.2, 0.1))
    scored = RankingList("tea", ("tea", "dog", "cat"), (0.0, 0.0, 0.0), scores=(3.0, 1.0, 2.0))
    unread = RankingList("dog", ("a dog", "tea", "cat"), (1.0, 0.0, 0.0))
    *kept, read = completed(TrainingData(lists=(given, scored, unread)), known=1)
    assert kept == [given, scored]
    assert (read.passages, len(read.teacher)) == (("a dog", "tea"), 2)


def test_equal_seeds_give_equal_lists() -> None:
    """Negatives are drawn; the draw is the seed's alone."""
    data = TrainingData(judged=JUDGED, pool=POOL)
    assert completed(data, negatives=2, seed=5) == completed(data, negatives=2, seed=5)


def test_a_pool_of_answers_alone_is_refused() -> None:
    """Without a single negative there is nothing to tell apart."""
    data = TrainingData(judged=(LabelledQuery("tea", {"tea": 1.0}),), pool=("tea",))
    with pytest.raises(TrainingDataError, match="more passages are needed"):
        completed(data)
