"""Mining of hard negatives from an index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.core.errors import TrainingDataError, TrainingFailed
from rerank.core.protocols import Index, IndexSpec
from rerank.core.setting_types import Mode
from rerank.models.training.data.mining import MiningOptions, NegativeMiner, retrieval
from rerank.models.training.data.ranking_data import read_training_data
from rerank.models.training.data.ranking_lists import LabelledQuery, RankingList, TrainingData
from rerank.models.training.data.resumable_json_lines import ResumableJsonLines
from rerank.models.training.data.search_scores import write_search_scores
from rerank.models.training.data.teacher_scores import ListTeacher
from tests.contracts.store import ENCODER, encoded
from tests.fakes import FakeReranker
from tests.memory_store import InMemoryStore

TEXTS = (
    "green tea in the cup",
    "black tea in the pot of the house",
    "tea and milk and sugar",
    "a dog runs in the park",
    "the cup on the table is green",
    "cats sleep all day long",
)
LABELLED = (
    LabelledQuery("green tea cup", {TEXTS[0]: 1.0}, ("cats sleep all day long",)),
    LabelledQuery("dog in the park", {TEXTS[3]: 0.5}),
)


@pytest.fixture
def index() -> Index:
    """Index with one document per text."""
    made = InMemoryStore().create("docs", IndexSpec(ENCODER.identity))
    made.upsert([encoded(f"d{number}", text) for number, text in enumerate(TEXTS)])
    return made


def mined(index: Index, file: Path, **options: object) -> list[dict[str, object]]:
    mining_options = MiningOptions(**{"count": 3, **options})  # type: ignore[arg-type]
    with retrieval(index, mining_options) as retrieve:
        miner = NegativeMiner(retrieve, ENCODER, mining_options)
        miner.mine(TrainingData(labelled=LABELLED), ResumableJsonLines(file, mining_options.parameters()))
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("mode", ["vector", "text", "hybrid"])
def test_line_has_a_positive_its_negatives_and_their_cosines(index: Index, tmp_path: Path, mode: Mode) -> None:
    """Labelled negatives come first, no negative is an answer, and the file is valid training data."""
    file = tmp_path / "negatives.jsonl"
    first, second = mined(index, file, mode=mode)
    assert (first["query"], first["positive"], first["label"]) == ("green tea cup", TEXTS[0], 1.0)
    assert isinstance(first["negatives"], list)
    assert first["negatives"][0] == "cats sleep all day long"
    assert TEXTS[0] not in first["negatives"]
    assert second["label"] == 0.5
    query = ENCODER.encode_queries(["green tea cup"])[0]
    expected = ENCODER.encode_documents([TEXTS[0], *first["negatives"]]) @ query
    assert first["teacher"] == pytest.approx(expected.tolist(), abs=1e-3)
    assert read_training_data([file]).lists[1] == RankingList(
        "dog in the park",
        (TEXTS[3], *second["negatives"]),  # type: ignore[misc]
        (0.5, *[0.0] * len(second["negatives"])),  # type: ignore[arg-type]
        tuple(second["teacher"]),  # type: ignore[arg-type]
    )


def test_candidates_above_the_margin_are_skipped(index: Index, tmp_path: Path) -> None:
    """A lower margin leaves fewer negatives."""
    (first, _), (strict, _) = (mined(index, tmp_path / f"{margin}.jsonl", margin=margin) for margin in (0.95, 0.3))
    assert len(first["negatives"]) == 3  # type: ignore[arg-type]
    assert len(strict["negatives"]) < 3  # type: ignore[arg-type]
    cosines = np.array(strict["teacher"])
    assert bool((cosines[2:] < 0.3 * cosines[0]).all())


def test_candidates_that_the_teacher_finds_relevant_are_skipped(index: Index, tmp_path: Path) -> None:
    """Their cosine with the query does not matter."""
    reranker = FakeReranker()

    def score(query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        logits = reranker.score(query, texts).logits
        logits[[text == TEXTS[4] for text in texts]] = 9.0
        return logits

    teacher = ListTeacher("taught", "0", score)
    first, _ = mined(index, tmp_path / "taught.jsonl", teacher=teacher)
    assert TEXTS[4] not in first["negatives"]  # type: ignore[operator]
    assert TEXTS[4] in mined(index, tmp_path / "alone.jsonl")[0]["negatives"]  # type: ignore[operator]


def test_interrupted_mining_resumes(index: Index, tmp_path: Path) -> None:
    """Only the last query, whose lines can be incomplete, is mined again."""
    complete = tmp_path / "whole.jsonl"
    mined(index, complete)
    first, second = complete.read_text(encoding="utf-8").splitlines(keepends=True)
    file = tmp_path / "negatives.jsonl"
    mined_before = first.replace("cats sleep", "CATS SLEEP")
    file.with_name("negatives.jsonl.part").write_text(mined_before + second + second[:9], encoding="utf-8")
    mined(index, file)
    assert file.read_text(encoding="utf-8") == mined_before + second


def test_finished_file_is_reused_and_other_files_are_refused(index: Index, tmp_path: Path) -> None:
    """Nothing is mined twice or overwritten."""
    file = tmp_path / "negatives.jsonl"
    mined(index, file)
    before = file.stat().st_mtime_ns
    mined(index, file)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(TrainingFailed, match="written with a different seed"):
        mined(index, file, seed=7)
    own = tmp_path / "own.jsonl"
    own.write_text("precious")
    with pytest.raises(TrainingFailed, match="already exists"):
        mined(index, own)


def test_data_without_labelled_queries_is_refused(index: Index, tmp_path: Path) -> None:
    """Lists already have negatives."""
    data = TrainingData(lists=(RankingList("tea", ("tea", "dog"), (1.0, 0.0)),))
    miner = NegativeMiner(lambda _query, _vector: [], ENCODER)
    with pytest.raises(TrainingDataError, match="needs labelled queries"):
        miner.mine(data, ResumableJsonLines(tmp_path / "negatives.jsonl", {}))


def test_search_scores_become_lists(tmp_path: Path) -> None:
    """A query with fewer than two results has no order to learn."""
    results = {"tea": [("green tea", 2.0), ("a dog", -1.5)], "dog": [("a dog", 1.0)]}
    file = tmp_path / "search_scores.jsonl"
    write_search_scores(["tea", "dog", "tea"], results.__getitem__, ResumableJsonLines(file, {}))
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert rows == [{"query": "tea", "passages": ["green tea", "a dog"], "scores": [2.0, -1.5]}]
    with pytest.raises(TrainingDataError, match="no order to learn"):
        write_search_scores(["dog"], results.__getitem__, ResumableJsonLines(tmp_path / "none.jsonl", {}))
