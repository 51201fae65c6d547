"""End-to-end tests of `train nli` with tiny models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.training.data.entailment_pairs import read_entailments
from rerank.models.training.options import NliOptions
from rerank.models.training.recipes.nli import class_metrics, train_nli
from tests.models import tiny
from tests.models.training import training_data
from tests.models.training.recipes.test_pairs import assert_same_weights, stops

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path: Path) -> NliOptions:
    """Options of a short run with three labels."""
    return NliOptions(
        data=(training_data.entailments(tmp_path / "nli"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=6,
        batch_size=8,
        evaluate_every=2,
        learning_rate=1e-3,
    )


def test_finished_run_leaves_a_classifier_with_label_names(options: NliOptions) -> None:
    """transformers knows the label names, and the probabilities sum to 1."""
    from sentence_transformers import CrossEncoder

    report = train_nli(options)
    assert set(report.metrics) == {"accuracy", "macro_f1"}
    metadata = json.loads((options.output / "rerank.json").read_text())
    assert (metadata["kind"], metadata["architecture"]) == ("classifier", "cross-encoder")
    config = json.loads((options.output / "config.json").read_text())
    assert config["id2label"] == {"0": "contradiction", "1": "entailment", "2": "neutral"}
    scores = CrossEncoder(str(options.output)).predict([("tea", "the tea")], apply_softmax=True)
    assert scores.shape == (1, 3)
    assert float(scores.sum()) == pytest.approx(1, abs=1e-3)


def test_rte_layout_makes_a_model_of_two_labels(options: NliOptions, tmp_path: Path) -> None:
    """`text` instead of `premise`, upper-case labels, and no train file."""
    folder = tmp_path / "rte"
    for part in ("dev", "test"):
        rows = [
            {"text": f"tea {n}", "hypothesis": "tea", "label": "ENTAILMENT" if n % 2 else "NONENTAILMENT"}
            for n in range(20)
        ]
        training_data.write_lines(folder / f"it_{part}.jsonl", rows)
        training_data.write_lines(folder / f"en_{part}.jsonl", rows)
    only = replace(options, data=(folder,), language="it")
    data = read_entailments(only)
    assert data.labels == ("not_entailment", "entailment")
    assert (len(data.train) + len(data.dev), len(data.test)) == (20, 20)
    assert sorted(Path(file).name for file in data.digests) == ["it_dev.jsonl", "it_test.jsonl"]
    train_nli(only)
    assert json.loads((options.output / "config.json").read_text())["id2label"]["1"] == "entailment"


def test_training_improves_macro_f1(options: NliOptions) -> None:
    """The hypothesis repeats the premise or does not, which is learnable."""
    report = train_nli(replace(options, max_steps=150, evaluate_every=50, learning_rate=3e-3))
    assert report.metrics["macro_f1"] > report.before["macro_f1"] + 0.15


def test_interrupted_run_resumes_to_the_same_weights(options: NliOptions, tmp_path: Path) -> None:
    """The same call ends with the weights of an uninterrupted run."""
    train_nli(options)
    interrupted = replace(options, output=tmp_path / "interrupted")
    with pytest.raises(SystemExit):
        train_nli(replace(interrupted, on_progress=stops(at=4)))
    train_nli(interrupted)
    assert_same_weights(options.output, interrupted.output)


def test_macro_f1_weighs_all_classes_equally() -> None:
    """Accuracy is 3/4; the F1 scores are 1, 0 and 0."""
    logits = np.eye(3)[[0, 0, 0, 2]]
    actual = class_metrics(logits, np.array([0, 0, 0, 1]))
    assert actual == pytest.approx({"accuracy": 0.75, "macro_f1": (1.0 + 0 + 0) / 3})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"premise": "a", "hypothesis": "b", "label": "maybe"},
            'train.jsonl:61: "label" must be one of contradiction, entailment, neutral, got "maybe"',
        ),
        ({"premise": "a", "hypothesis": "b", "label": 7}, 'train.jsonl:61: "label" must be a non-blank string, got 7'),
        (
            {"premise": " ", "hypothesis": "b", "label": "neutral"},
            'train.jsonl:61: "premise" must be a non-blank string, got " "',
        ),
        (
            {"hypothesis": "b", "label": "neutral"},
            'train.jsonl:61: "premise" must be a non-blank string, but it is missing',
        ),
    ],
)
def test_invalid_line_is_refused_with_its_location(options: NliOptions, row: dict[str, object], expected: str) -> None:
    """The message names file, line and problem."""
    file = options.data[0] / "train.jsonl"
    file.write_text(f"{file.read_text()}{json.dumps(row)}\n")
    with pytest.raises(TrainingDataError) as raised:
        train_nli(options)
    assert expected in raised.value.message


def test_insufficient_data_is_refused(options: NliOptions, tmp_path: Path) -> None:
    """Fewer pairs than a batch, a class without a pair, a folder without known parts."""
    with pytest.raises(TrainingDataError, match="fewer than a batch of 99"):
        train_nli(replace(options, batch_size=99))
    rows = [{"premise": f"tea {n}", "hypothesis": "tea", "label": "neutral"} for n in range(9)]
    file = training_data.write_lines(tmp_path / "one.jsonl", rows)
    with pytest.raises(TrainingDataError, match="labelled contradiction or entailment"):
        train_nli(replace(options, data=(file,)))
    with pytest.raises(TrainingDataError, match="with train, dev or test in its name"):
        train_nli(replace(options, data=(tmp_path,)))


def test_base_with_another_head_is_refused(options: NliOptions, tmp_path: Path) -> None:
    """Another number of labels, or the same labels in another order."""
    with pytest.raises(ModelInvalid, match=r"a head of 1 labels\. The base model must have a head of 3 labels"):
        train_nli(replace(options, base=tiny.bert(tmp_path / "reranker", labels=1)))
    reordered = tiny.bert(
        tmp_path / "reordered", labels=3, id2label={0: "entailment", 1: "neutral", 2: "contradiction"}
    )
    with pytest.raises(ModelInvalid, match="got entailment, neutral, contradiction"):
        train_nli(replace(options, base=reordered))
