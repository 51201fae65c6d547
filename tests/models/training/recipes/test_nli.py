"""`train nli` from end to end, with tiny models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.training.data.entailment_pairs import read_entailments
from rerank.models.training.options import NliOptions
from rerank.models.training.recipes.nli import class_scores, train_nli
from tests.models import tiny
from tests.models.training import training_data
from tests.models.training.recipes.test_pairs import assert_same_weights, stops


@pytest.fixture
def options(tmp_path: Path) -> NliOptions:
    """A short run of three labels."""
    return NliOptions(
        data=(training_data.entailments(tmp_path / "nli"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=6,
        batch_size=8,
        evaluate_every=2,
        learning_rate=1e-3,
    )


def test_the_folder_holds_a_classifier_with_named_labels(options: NliOptions) -> None:
    """transformers names its answers, whose probabilities sum to 1."""
    from sentence_transformers import CrossEncoder

    report = train_nli(options)
    assert set(report.metrics) == {"accuracy", "macro_f1"}
    said = json.loads((options.output / "rerank.json").read_text())
    assert (said["kind"], said["architecture"]) == ("classifier", "cross-encoder")
    config = json.loads((options.output / "config.json").read_text())
    assert config["id2label"] == {"0": "contradiction", "1": "entailment", "2": "neutral"}
    scores = CrossEncoder(str(options.output)).predict([("tea", "the tea")], apply_softmax=True)
    assert scores.shape == (1, 3)
    assert float(scores.sum()) == pytest.approx(1, abs=1e-3)


def test_two_labels_make_a_model_of_two(options: NliOptions, tmp_path: Path) -> None:
    """RTE's layout: `text`, labels in capitals, no train file, so that the dev part is learned from."""
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


def test_training_teaches(options: NliOptions) -> None:
    """What can be learned is learned: the hypothesis repeats the premise, or it does not."""
    report = train_nli(replace(options, max_steps=150, evaluate_every=50, learning_rate=3e-3))
    assert report.metrics["macro_f1"] > report.before["macro_f1"] + 0.15


def test_a_run_that_was_broken_off_goes_on(options: NliOptions, tmp_path: Path) -> None:
    """The same weights as without a break."""
    train_nli(options)
    broken = replace(options, output=tmp_path / "broken")
    with pytest.raises(SystemExit):
        train_nli(replace(broken, on_progress=stops(at=4)))
    train_nli(broken)
    assert_same_weights(options.output, broken.output)


def test_the_mean_over_the_classes_counts_rare_ones_as_much() -> None:
    """Accuracy 3/4; F1 of the classes 6/7, 0 and 0 (never said, and said in vain)."""
    logits = np.eye(3)[[0, 0, 0, 2]]
    found = class_scores(logits, np.array([0, 0, 0, 1]))
    assert found == pytest.approx({"accuracy": 0.75, "macro_f1": (1.0 + 0 + 0) / 3})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"premise": "a", "hypothesis": "b", "label": "maybe"}, 'train.jsonl:61: the label "maybe" is not among'),
        ({"premise": "a", "hypothesis": "b", "label": 7}, 'train.jsonl:61: "label" is missing or no text'),
        ({"premise": " ", "hypothesis": "b", "label": "neutral"}, 'train.jsonl:61: "premise" is missing or no text'),
        ({"hypothesis": "b", "label": "neutral"}, 'train.jsonl:61: "text" is missing or no text'),
    ],
)
def test_a_bad_line_is_named(options: NliOptions, row: dict[str, object], said: str) -> None:
    """File, line, and what is wrong."""
    file = options.data[0] / "train.jsonl"
    file.write_text(f"{file.read_text()}{json.dumps(row)}\n")
    with pytest.raises(TrainingDataError) as raised:
        train_nli(options)
    assert said in raised.value.message


def test_data_that_nothing_can_be_learned_from_is_refused(options: NliOptions, tmp_path: Path) -> None:
    """A class without a pair, fewer pairs than a batch, a folder of something else."""
    with pytest.raises(TrainingDataError, match="fewer than a batch of 99"):
        train_nli(replace(options, batch_size=99))
    rows = [{"premise": f"tea {n}", "hypothesis": "tea", "label": "neutral"} for n in range(9)]
    file = training_data.write_lines(tmp_path / "one.jsonl", rows)
    with pytest.raises(TrainingDataError, match="labelled contradiction or entailment"):
        train_nli(replace(options, data=(file,)))
    with pytest.raises(TrainingDataError, match="whose name says train, dev or test"):
        train_nli(replace(options, data=(tmp_path,)))


def test_a_base_with_another_head_is_refused(options: NliOptions, tmp_path: Path) -> None:
    """One label, or the same labels in another order."""
    with pytest.raises(ModelInvalid, match="a head of 1 labels; training starts from 3 labels"):
        train_nli(replace(options, base=tiny.bert(tmp_path / "reranker", labels=1)))
    turned = tiny.bert(tmp_path / "turned", labels=3, id2label={0: "entailment", 1: "neutral", 2: "contradiction"})
    with pytest.raises(ModelInvalid, match="answers entailment, neutral, contradiction, in this order"):
        train_nli(replace(options, base=turned))
