"""Formats of a line of ranking data."""

from __future__ import annotations

import pytest

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import Row
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.data.row_formats import parse_row, query_of

TEVATRON: Row = {
    "query_id": "1",
    "query": "fix a flat tyre",
    "positive_passages": [{"docid": "1", "title": "Tyres", "text": "glue a patch"}],
    "negative_passages": [{"docid": "2", "title": "", "text": "tea"}],
}


@pytest.mark.parametrize(
    ("row", "lists"),
    [
        (
            {"query": "q", "positive": "p", "negatives": ["n"], "label": 0.5},
            [RankingList("q", ("p", "n"), (0.5, 0.0))],
        ),
        (
            {"query": "q", "passages": ["a", "b"], "scores": [2, -1]},
            [RankingList("q", ("a", "b"), (0.0, 0.0), scores=(2.0, -1.0))],
        ),
        ({"anchor": "q", "positive": "p", "negative": "n"}, [RankingList("q", ("p", "n"), (1.0, 0.0))]),
        (
            {"anchor": "q", "positive": "p", "negative_1": "n1", "negative_10": "n10", "negative_2": "n2"},
            [RankingList("q", ("p", "n1", "n2", "n10"), (1.0, 0.0, 0.0, 0.0))],
        ),
        (
            {"query": "q", "pos": ["p1", "p2"], "neg": ["n"], "prompt": "", "type": "normal"},
            [RankingList("q", ("p1", "n"), (1.0, 0.0)), RankingList("q", ("p2", "n"), (1.0, 0.0))],
        ),
        (
            {"query": "q", "pos": ["p1", "p2"], "neg": ["n"], "pos_scores": [3, 2], "neg_scores": [-1]},
            [
                RankingList("q", ("p1", "n"), (1.0, 0.0), scores=(3.0, -1.0)),
                RankingList("q", ("p2", "n"), (1.0, 0.0), scores=(2.0, -1.0)),
            ],
        ),
        (TEVATRON, [RankingList("fix a flat tyre", ("Tyres glue a patch", "tea"), (1.0, 0.0))]),
    ],
)
def test_row_with_negatives_becomes_lists(row: Row, lists: list[RankingList]) -> None:
    """One list per positive, with the positive first."""
    assert parse_row(row, "f:1").lists == lists


@pytest.mark.parametrize(
    "row",
    [
        {"query": "q", "positive": "p"},
        {"anchor": "q", "positive": "p"},
        {"query": "q", "pos": ["p"], "neg": []},
        {"query": "q", "pos": ["p"]},
        {"query": "q", "positive_passages": [{"text": "p"}], "negative_passages": []},
    ],
)
def test_row_without_negatives_becomes_a_positive_label(row: Row) -> None:
    """Negatives are drawn from the other rows."""
    parsed = parse_row(row, "f:1")
    assert (parsed.lists, parsed.labels, parsed.positive_only) == ((), {"p": 1.0}, True)


def test_unknown_keys_are_listed_with_the_accepted_formats() -> None:
    """The message lists the keys of the row and every format."""
    with pytest.raises(TrainingDataError) as raised:
        parse_row({"question": "q", "answer": "a"}, "f:1")
    assert raised.value.message.startswith(
        'f:1: the keys must be those of an accepted format, got "question", "answer"'
    )
    for name in ("labelled pair", "sentence-transformers", "FlagEmbedding", "Tevatron"):
        assert f"({name})" in raised.value.message


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"query": "q", "pos": []}, '"pos" must be a list of at least 1 non-blank strings, got []'),
        ({"query": "q", "pos": ["p"], "neg": [1]}, '"neg" must be a list'),
        (
            {"query": "q", "pos": ["p"], "neg": ["n"], "pos_scores": [1]},
            '"neg_scores" must have one number per passage',
        ),
        ({"anchor": "q", "positive": "p", "negative": " "}, '"negative" must be a non-blank string'),
        ({**TEVATRON, "positive_passages": ["p"]}, '"positive_passages" must be a list of at least 1 objects'),
        (
            {**TEVATRON, "negative_passages": [{"docid": "2"}]},
            'negative_passages[0]: "text" must be a non-blank string',
        ),
        ({"positive": "p", "negative": "n"}, '"query" must be a non-blank string, but it is missing'),
    ],
)
def test_invalid_value_is_refused(row: Row, expected: str) -> None:
    """The message names the location, the key and the problem."""
    with pytest.raises(TrainingDataError) as raised:
        parse_row(row, "f:1")
    assert raised.value.message.startswith("f:1: ")
    assert expected in raised.value.message


@pytest.mark.parametrize("row", [{"query": "q"}, {"anchor": "q"}, {"query": "q", "anchor": "a"}])
def test_query_is_found_in_every_format(row: Row) -> None:
    """`query` wins over `anchor`."""
    assert query_of(row, "f:1") == "q"
