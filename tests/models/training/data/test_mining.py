"""Hard negatives from an index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.core.errors import TrainingDataError, TrainingFailed
from rerank.core.protocols import Index, IndexSpec
from rerank.core.settings import Mode
from rerank.models.training.data.mining import MiningOptions, NegativeMiner
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
JUDGED = (
    LabelledQuery("green tea cup", {TEXTS[0]: 1.0}, ("cats sleep all day long",)),
    LabelledQuery("dog in the park", {TEXTS[3]: 0.5}),
)


@pytest.fixture
def index() -> Index:
    """The texts, one document each."""
    made = InMemoryStore().create("docs", IndexSpec(ENCODER.identity))
    made.upsert([encoded(f"d{number}", text) for number, text in enumerate(TEXTS)])
    return made


def mined(index: Index, file: Path, **options: object) -> list[dict[str, object]]:
    told = MiningOptions(**{"count": 3, **options})  # type: ignore[arg-type]
    miner = NegativeMiner(index, ENCODER, told)
    miner.mine(TrainingData(judged=JUDGED), ResumableJsonLines(file, told.made_from()))
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("mode", ["vector", "text", "hybrid"])
def test_a_line_holds_a_positive_its_negatives_and_their_cosines(index: Index, tmp_path: Path, mode: Mode) -> None:
    """Known negatives come first; none of the negatives is an answer; the file is training data as it is."""
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


def test_what_is_as_near_as_the_answer_is_left_out(index: Index, tmp_path: Path) -> None:
    """By the margin: the lower it is, the fewer are left."""
    (first, _), (strict, _) = (mined(index, tmp_path / f"{margin}.jsonl", margin=margin) for margin in (0.95, 0.3))
    assert len(first["negatives"]) == 3  # type: ignore[arg-type]
    assert len(strict["negatives"]) < 3  # type: ignore[arg-type]
    cosines = np.array(strict["teacher"])
    assert bool((cosines[2:] < 0.3 * cosines[0]).all())


def test_a_teacher_tells_answers_among_what_is_found(index: Index, tmp_path: Path) -> None:
    """Whatever it finds as relevant as the answer is left out, however far it is from the query."""
    reranker = FakeReranker()

    def score(query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        logits = reranker.score(query, texts).logits
        logits[[text == TEXTS[4] for text in texts]] = 9.0
        return logits

    teacher = ListTeacher("taught", "0", score)
    first, _ = mined(index, tmp_path / "taught.jsonl", teacher=teacher)
    assert TEXTS[4] not in first["negatives"]  # type: ignore[operator]
    assert TEXTS[4] in mined(index, tmp_path / "alone.jsonl")[0]["negatives"]  # type: ignore[operator]


def test_mining_goes_on_where_it_was_broken_off(index: Index, tmp_path: Path) -> None:
    """The last query's lines may be half there: they are made again, the others are not."""
    whole = tmp_path / "whole.jsonl"
    mined(index, whole)
    first, second = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    file = tmp_path / "negatives.jsonl"
    mined_before = first.replace("cats sleep", "CATS SLEEP")
    file.with_name("negatives.jsonl.part").write_text(mined_before + second + second[:9], encoding="utf-8")
    mined(index, file)
    assert file.read_text(encoding="utf-8") == mined_before + second


def test_a_finished_file_is_read_again_and_another_runs_is_left_alone(index: Index, tmp_path: Path) -> None:
    """Nothing is mined twice by accident, and nothing overwritten."""
    file = tmp_path / "negatives.jsonl"
    mined(index, file)
    before = file.stat().st_mtime_ns
    mined(index, file)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(TrainingFailed, match=r"made from something else \(seed differ\)"):
        mined(index, file, seed=7)
    own = tmp_path / "own.jsonl"
    own.write_text("precious")
    with pytest.raises(TrainingFailed, match="is there already"):
        mined(index, own)


def test_lists_alone_need_no_negatives(index: Index, tmp_path: Path) -> None:
    """There is nothing to mine for."""
    given = TrainingData(lists=(RankingList("tea", ("tea", "dog"), (1.0, 0.0)),))
    with pytest.raises(TrainingDataError, match="no judged queries"):
        NegativeMiner(index, ENCODER).mine(given, ResumableJsonLines(tmp_path / "negatives.jsonl", {}))


def test_what_a_search_says_becomes_lists(tmp_path: Path) -> None:
    """A query that finds fewer than two passages has no order; the file is training data as it is."""
    found = {"tea": [("green tea", 2.0), ("a dog", -1.5)], "dog": [("a dog", 1.0)]}
    file = tmp_path / "searched.jsonl"
    write_search_scores(["tea", "dog", "tea"], found.__getitem__, ResumableJsonLines(file, {}))
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert rows == [{"query": "tea", "passages": ["green tea", "a dog"], "scores": [2.0, -1.5]}]
    with pytest.raises(TrainingDataError, match="no order to learn"):
        write_search_scores(["dog"], found.__getitem__, ResumableJsonLines(tmp_path / "none.jsonl", {}))
