"""Reading of ranking data."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.ranking_data import read_training_data
from rerank.models.training.data.ranking_lists import LabelledQuery, RankingList
from tests.models.training.training_data import beir, write_lines

ROWS = [
    {"query": "tea", "passage": "green tea", "label": 1},
    {"query": "tea", "passage": "a dog", "label": 0},
    {"query": "cat", "passage": "the cat", "label": 0.5},
]


def test_labelled_pairs_are_grouped_by_query(tmp_path: Path) -> None:
    """Label 0 is irrelevant, any label above 0 relevant. All passages join the pool."""
    data = read_training_data([write_lines(tmp_path / "pairs.jsonl", ROWS)])
    assert data.labelled == (
        LabelledQuery("tea", {"green tea": 1.0}, ("a dog",)),
        LabelledQuery("cat", {"the cat": 0.5}),
    )
    assert data.pool == ("green tea", "a dog", "the cat")
    assert list(data.digests) == [str(tmp_path / "pairs.jsonl")]


def test_passage_with_two_labels_keeps_the_higher_one(tmp_path: Path) -> None:
    """A passage that one annotator finds relevant is not a negative."""
    rows = [*ROWS, {"query": "tea", "passage": "a dog", "label": 0.3}]
    data = read_training_data([write_lines(tmp_path / "pairs.jsonl", rows)])
    assert data.labelled[0] == LabelledQuery("tea", {"green tea": 1.0, "a dog": 0.3})


def test_lists_are_kept_unchanged(tmp_path: Path) -> None:
    """A positive with its negatives is a list, with a teacher's cosines if present."""
    rows: list[dict[str, object]] = [
        {"query": "tea", "positive": "green tea", "negatives": ["a dog", "a cat"]},
        {"query": "cat", "positive": "the cat", "negatives": ["a dog"], "teacher": [0.8, -0.1]},
    ]
    data = read_training_data([write_lines(tmp_path / "lists.jsonl", rows)])
    assert data.lists == (
        RankingList("tea", ("green tea", "a dog", "a cat"), (1.0, 0.0, 0.0)),
        RankingList("cat", ("the cat", "a dog"), (1.0, 0.0), (0.8, -0.1)),
    )


def test_gzip_is_detected_by_content(tmp_path: Path) -> None:
    """The file name does not matter."""
    plain = write_lines(tmp_path / "plain.jsonl", ROWS)
    packed = tmp_path / "packed.jsonl"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_training_data([packed]).labelled == read_training_data([plain]).labelled


def test_beir_passages_start_with_the_title(tmp_path: Path) -> None:
    """As they are served. The split `train` is preferred."""
    data = read_training_data([beir(tmp_path / "set", queries=3)])
    assert len(data.labelled) == 3
    assert len(data.pool) == 12
    assert all(text.startswith("a ") for text in data.pool)
    assert data.labelled[0].relevant == {f"{data.pool[0]}": 1.0}


def test_files_and_folders_can_be_mixed(tmp_path: Path) -> None:
    """Their queries add up."""
    sources = [write_lines(tmp_path / "pairs.jsonl", ROWS), beir(tmp_path / "set", queries=3)]
    assert read_training_data(sources).query_count == 5


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"query": "q", "passage": "p", "label": 1.5}',
            'pairs.jsonl:4: "label" must be a number from 0 to 1, got 1.5',
        ),
        ('{"query": "q", "passage": "p", "label": -1}', 'pairs.jsonl:4: "label" must be a number from 0 to 1, got -1'),
        (
            '{"query": "q", "passage": "p", "label": NaN}',
            'pairs.jsonl:4: "label" must be a number from 0 to 1, got NaN',
        ),
        ('{"query": "q", "passage": "p", "label": true}', '"label" must be a number from 0 to 1, got true'),
        ('{"query": "q", "passage": "p"}', '"label" must be a number from 0 to 1, but it is missing'),
        ('{"query": " ", "passage": "p", "label": 1}', 'pairs.jsonl:4: "query" must be a non-blank string, got " "'),
        (
            '{"query": "q", "label": 1}',
            'pairs.jsonl:4: the keys must be those of an accepted format, got "query", "label"',
        ),
        ('{"query": "q", "positive": "p", "negatives": []}', 'pairs.jsonl:4: "negatives" must be a list'),
        ('{"query": "q", "positive": "p", "negatives": ["n"], "teacher": [1]}', 'pairs.jsonl:4: "teacher" must have'),
        (
            '{"query": "q", "positive": "p", "negatives": ["n"], "teacher": [7, 1]}',
            'pairs.jsonl:4: "teacher" must have numbers from -1 to 1',
        ),
        ("[1]", "pairs.jsonl:4: the line must be a JSON object"),
        ("{", "pairs.jsonl:4: the line must be JSON in UTF-8"),
    ],
)
def test_invalid_line_is_refused_with_its_location(tmp_path: Path, line: str, expected: str) -> None:
    """The message names file, line and problem."""
    file = write_lines(tmp_path / "pairs.jsonl", ROWS)
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(TrainingDataError) as raised:
        read_training_data([file])
    assert expected in raised.value.message


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "is empty"),
        (ROWS[:2], "at least 2 queries, one of them for evaluation, got 1"),
        ([{**row, "label": 1} for row in ROWS], "every label is 1"),
        ([{**row, "label": 0} for row in ROWS], "every label is 0"),
    ],
)
def test_insufficient_data_is_refused(tmp_path: Path, rows: list[dict[str, object]], expected: str) -> None:
    """An empty file, one query only, one label only."""
    with pytest.raises(TrainingDataError, match=expected):
        read_training_data([write_lines(tmp_path / "pairs.jsonl", rows)])


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A missing file, a damaged one, a folder without a corpus or judgments."""
    with pytest.raises(TrainingDataError, match="nothing does not exist"):
        read_training_data([tmp_path / "nothing"])
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(b'{"query": "q"}\n' * 99)[:-12])
    with pytest.raises(TrainingDataError, match="damaged"):
        read_training_data([damaged])
    (tmp_path / "folder").mkdir()
    with pytest.raises(TrainingDataError, match=r"corpus\.jsonl is missing"):
        read_training_data([tmp_path / "folder"])
    write_lines(tmp_path / "folder" / "corpus.jsonl", [{"_id": "1", "text": "a"}])
    with pytest.raises(TrainingDataError, match="no judgments"):
        read_training_data([tmp_path / "folder"])
