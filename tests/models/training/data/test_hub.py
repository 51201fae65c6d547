"""Data sets that the `datasets` library loads: from folders here, as from a hub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.entailment_pairs import read_entailments
from rerank.models.training.data.hub import Layout, resolve_datasets
from rerank.models.training.data.ranking_data import read_training_data
from rerank.models.training.data.sentence_pairs import SentencePair, read_sentence_pairs
from rerank.models.training.options import NliOptions
from tests.models.training.training_data import write_lines


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library keeps what it loaded: here, in the test's own folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def stored(folder: Path, **parts: Sequence[Mapping[str, object]]) -> Path:
    """A data set as the hub has it: a file for each split."""
    for split, rows in parts.items():
        write_lines(folder / f"{split}.jsonl", rows)
    return Path(f"hf:{folder}")


def written(tmp_path: Path, source: Path, layout: Layout) -> Path:
    (path,) = resolve_datasets([source], layout=layout, folder=tmp_path / "hub", language="it")
    return path


def test_the_sts_benchmark_is_read_by_its_parts(tmp_path: Path) -> None:
    """Scores from 0 to 1 are those from 0 to 5; `validation` is the dev part."""
    rows = [
        {"sentence1": "uno", "sentence2": "due", "similarity_score": 0.5},
        {"sentence1": "tre", "sentence2": "tre", "similarity_score": 1.0},
    ]
    folder = written(tmp_path, stored(tmp_path / "sts", train=rows, validation=rows, test=rows), "sentences")
    data = read_sentence_pairs([folder], language="it")
    assert data.dev == (SentencePair("uno", "due", 0.5), SentencePair("tre", "tre", 1.0))


def test_entailments_keep_their_labels(tmp_path: Path) -> None:
    """The columns may be named as GLUE names them; a label without agreement is left out."""
    rows = [{"sentence1": f"p{n}", "sentence2": "h", "label": ("entailment", "neutral")[n % 2]} for n in range(8)]
    rows += [{"sentence1": "p", "sentence2": "h", "label": "contradiction"}] * 2
    folder = written(tmp_path, stored(tmp_path / "nli", train=rows, test=rows), "entailments")
    data = read_entailments(NliOptions(data=(folder,), output=tmp_path))
    assert (len(data.test), data.labels) == (10, ("contradiction", "entailment", "neutral"))


def test_pairs_are_read_under_the_names_that_sentence_transformers_gives_them(tmp_path: Path) -> None:
    """anchor, positive, negative; of several splits `train`."""
    rows = [
        {"anchor": "tea", "positive": "green tea", "negative": "a dog"},
        {"anchor": "dog", "positive": "a dog", "negative": "tea"},
    ]
    file = written(tmp_path, stored(tmp_path / "pairs", train=rows, test=rows), "pairs")
    assert [one.passages for one in read_training_data([file]).lists] == [("green tea", "a dog"), ("a dog", "tea")]


def test_other_sources_stay_as_they_are_and_nothing_is_loaded_twice(tmp_path: Path) -> None:
    """A file is a file; what was written is read again, so that a run that goes on reads the same."""
    file = write_lines(tmp_path / "own.jsonl", [{"query": "tea", "positive": "green tea"}])
    source = stored(tmp_path / "pairs", train=[{"query": "dog", "positive": "a dog"}])
    first = resolve_datasets([file, source], layout="pairs", folder=tmp_path / "hub")
    (tmp_path / "pairs" / "train.jsonl").unlink()
    assert resolve_datasets([file, source], layout="pairs", folder=tmp_path / "hub") == first
    assert first[0] == file
    assert json.loads(first[1].read_text()) == {"query": "dog", "positive": "a dog"}


def test_a_hub_that_cannot_be_reached_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way out, and without waiting."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingDataError, match=r"hf:stsb_multi_mt:it: the data set could not be loaded .* name files"):
        written(tmp_path, Path("hf:stsb_multi_mt:it"), "sentences")


def test_a_data_set_of_other_columns_is_told(tmp_path: Path) -> None:
    """With the columns that it has."""
    source = stored(tmp_path / "set", train=[{"words": "tea", "score": 1.0}])
    with pytest.raises(TrainingDataError, match="no column named sentence1; there are: words, score"):
        written(tmp_path, source, "sentences")
