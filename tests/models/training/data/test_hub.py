"""Datasets that the `datasets` library loads from local folders, as from the hub."""

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
    """Points the library's cache to the test's folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write_dataset(folder: Path, **parts: Sequence[Mapping[str, object]]) -> Path:
    """Writes a dataset with a file per split, as on the hub, and returns its name."""
    for split, rows in parts.items():
        write_lines(folder / f"{split}.jsonl", rows)
    return Path(f"hf:{folder}")


def resolved_path(tmp_path: Path, source: Path, layout: Layout) -> Path:
    (path,) = resolve_datasets([source], layout=layout, folder=tmp_path / "hub", language="it")
    return path


def test_sts_benchmark_is_split_into_parts(tmp_path: Path) -> None:
    """Scores from 0 to 1 are scaled to 0 to 5; `validation` becomes the dev part."""
    rows = [
        {"sentence1": "uno", "sentence2": "due", "similarity_score": 0.5},
        {"sentence1": "tre", "sentence2": "tre", "similarity_score": 1.0},
    ]
    folder = resolved_path(
        tmp_path, write_dataset(tmp_path / "sts", train=rows, validation=rows, test=rows), "sentences"
    )
    data = read_sentence_pairs([folder], language="it")
    assert data.dev == (SentencePair("uno", "due", 0.5), SentencePair("tre", "tre", 1.0))


def test_entailment_labels_are_kept(tmp_path: Path) -> None:
    """GLUE's column names are accepted; pairs without consensus are skipped."""
    rows = [{"sentence1": f"p{n}", "sentence2": "h", "label": ("entailment", "neutral")[n % 2]} for n in range(8)]
    rows += [{"sentence1": "p", "sentence2": "h", "label": "contradiction"}] * 2
    folder = resolved_path(tmp_path, write_dataset(tmp_path / "nli", train=rows, test=rows), "entailments")
    data = read_entailments(NliOptions(data=(folder,), output=tmp_path))
    assert (len(data.test), data.labels) == (10, ("contradiction", "entailment", "neutral"))


def test_sentence_transformers_columns_are_accepted(tmp_path: Path) -> None:
    """anchor, positive and negative. Of several splits, `train` is read."""
    rows = [
        {"anchor": "tea", "positive": "green tea", "negative": "a dog"},
        {"anchor": "dog", "positive": "a dog", "negative": "tea"},
    ]
    file = resolved_path(tmp_path, write_dataset(tmp_path / "pairs", train=rows, test=rows), "pairs")
    assert [ranking_list.passages for ranking_list in read_training_data([file]).lists] == [
        ("green tea", "a dog"),
        ("a dog", "tea"),
    ]


def test_datasets_are_written_once_and_files_stay_unchanged(tmp_path: Path) -> None:
    """A resumed run reads the same data."""
    file = write_lines(tmp_path / "own.jsonl", [{"query": "tea", "positive": "green tea"}])
    source = write_dataset(tmp_path / "pairs", train=[{"query": "dog", "positive": "a dog"}])
    first = resolve_datasets([file, source], layout="pairs", folder=tmp_path / "hub")
    (tmp_path / "pairs" / "train.jsonl").unlink()
    assert resolve_datasets([file, source], layout="pairs", folder=tmp_path / "hub") == first
    assert first[0] == file
    assert json.loads(first[1].read_text()) == {"query": "dog", "positive": "a dog"}


def test_unreachable_hub_is_refused_with_an_alternative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message comes without waiting for retries."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingDataError, match=r"hf:stsb_multi_mt:it: cannot load the dataset: .* name files"):
        resolved_path(tmp_path, Path("hf:stsb_multi_mt:it"), "sentences")


def test_missing_column_is_refused(tmp_path: Path) -> None:
    """The message lists the columns of the dataset."""
    source = write_dataset(tmp_path / "set", train=[{"words": "tea", "score": 1.0}])
    with pytest.raises(TrainingDataError, match="must have a column sentence1, got words, score"):
        resolved_path(tmp_path, source, "sentences")
