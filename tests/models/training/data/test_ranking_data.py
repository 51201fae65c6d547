"""Reading judgments to train from."""

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


def test_labelled_pairs_are_gathered_by_query(tmp_path: Path) -> None:
    """Label 0 is not relevant, anything above it is; every passage can be a negative for another query."""
    data = read_training_data([write_lines(tmp_path / "pairs.jsonl", ROWS)])
    assert data.judged == (LabelledQuery("tea", {"green tea": 1.0}, ("a dog",)), LabelledQuery("cat", {"the cat": 0.5}))
    assert data.pool == ("green tea", "a dog", "the cat")
    assert list(data.digests) == [str(tmp_path / "pairs.jsonl")]


def test_a_passage_judged_twice_keeps_its_higher_label(tmp_path: Path) -> None:
    """Two judges may differ: what one of them found relevant is no negative."""
    rows = [*ROWS, {"query": "tea", "passage": "a dog", "label": 0.3}]
    data = read_training_data([write_lines(tmp_path / "pairs.jsonl", rows)])
    assert data.judged[0] == LabelledQuery("tea", {"green tea": 1.0, "a dog": 0.3})


def test_lists_come_as_they_are(tmp_path: Path) -> None:
    """A positive and its negatives are one list; a teacher's cosines may stand beside them."""
    rows: list[dict[str, object]] = [
        {"query": "tea", "positive": "green tea", "negatives": ["a dog", "a cat"]},
        {"query": "cat", "positive": "the cat", "negatives": ["a dog"], "teacher": [0.8, -0.1]},
    ]
    data = read_training_data([write_lines(tmp_path / "lists.jsonl", rows)])
    assert data.lists == (
        RankingList("tea", ("green tea", "a dog", "a cat"), (1.0, 0.0, 0.0)),
        RankingList("cat", ("the cat", "a dog"), (1.0, 0.0), (0.8, -0.1)),
    )


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    """A file's name need not say that it is packed."""
    plain = write_lines(tmp_path / "plain.jsonl", ROWS)
    packed = tmp_path / "packed.jsonl"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_training_data([packed]).judged == read_training_data([plain]).judged


def test_a_beir_folder_gives_documents_headed_by_their_titles(tmp_path: Path) -> None:
    """As they are served; the split `train` is taken where there is one."""
    data = read_training_data([beir(tmp_path / "set", queries=3)])
    assert len(data.judged) == 3
    assert len(data.pool) == 12
    assert all(text.startswith("a ") for text in data.pool)
    assert data.judged[0].relevant == {f"{data.pool[0]}": 1.0}


def test_several_sources_are_one(tmp_path: Path) -> None:
    """Files and folders may be mixed."""
    sources = [write_lines(tmp_path / "pairs.jsonl", ROWS), beir(tmp_path / "set", queries=3)]
    assert read_training_data(sources).queries == 5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"query": "q", "passage": "p", "label": 1.5}', 'pairs.jsonl:4: "label" is 1.5, outside 0 to 1'),
        ('{"query": "q", "passage": "p", "label": -1}', 'pairs.jsonl:4: "label" is -1, outside 0 to 1'),
        ('{"query": "q", "passage": "p", "label": NaN}', 'pairs.jsonl:4: "label" is nan, outside 0 to 1'),
        ('{"query": "q", "passage": "p", "label": true}', 'pairs.jsonl:4: "label" is missing or no number'),
        ('{"query": "q", "passage": "p"}', 'pairs.jsonl:4: "label" is missing or no number'),
        ('{"query": " ", "passage": "p", "label": 1}', 'pairs.jsonl:4: "query" is missing or no text'),
        ('{"query": "q", "label": 1}', 'pairs.jsonl:4: "passage" is missing or no text'),
        ('{"query": "q", "positive": "p", "negatives": []}', 'pairs.jsonl:4: "negatives" must be a list'),
        ('{"query": "q", "positive": "p", "negatives": ["n"], "teacher": [1]}', 'pairs.jsonl:4: "teacher" must have'),
        (
            '{"query": "q", "positive": "p", "negatives": ["n"], "teacher": [7, 1]}',
            'pairs.jsonl:4: "teacher" must hold',
        ),
        ("[1]", "pairs.jsonl:4: not an object"),
        ("{", "pairs.jsonl:4: not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    """File, line, and what is wrong."""
    file = write_lines(tmp_path / "pairs.jsonl", ROWS)
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(TrainingDataError) as raised:
        read_training_data([file])
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "empty"),
        (ROWS[:2], "1 judged queries; at least 2 are needed"),
        ([{**row, "label": 1} for row in ROWS], "every label is 1"),
        ([{**row, "label": 0} for row in ROWS], "every label is 0"),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_refused(
    tmp_path: Path, rows: list[dict[str, object]], said: str
) -> None:
    """An empty file, one query only, one class only."""
    with pytest.raises(TrainingDataError, match=said):
        read_training_data([write_lines(tmp_path / "pairs.jsonl", rows)])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, damaged, or a folder of something else."""
    with pytest.raises(TrainingDataError, match="nothing: not found"):
        read_training_data([tmp_path / "nothing"])
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(b'{"query": "q"}\n' * 99)[:-12])
    with pytest.raises(TrainingDataError, match="damaged"):
        read_training_data([damaged])
    (tmp_path / "folder").mkdir()
    with pytest.raises(TrainingDataError, match=r"no corpus\.jsonl"):
        read_training_data([tmp_path / "folder"])
    write_lines(tmp_path / "folder" / "corpus.jsonl", [{"_id": "1", "text": "a"}])
    with pytest.raises(TrainingDataError, match="no judgments"):
        read_training_data([tmp_path / "folder"])
