"""End-to-end tests of `train sts` with tiny models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.compute_options import REPRODUCIBLE_COMPUTE
from rerank.models.pair_models import load_pair_model
from rerank.models.training.data.sentence_pairs import SentencePair, read_sentence_pairs
from rerank.models.training.options import StsOptions
from rerank.models.training.recipes.sts import both_orders, train_sts
from tests.models import tiny
from tests.models.training import training_data
from tests.models.training.recipes.test_pairs import assert_same_weights, stops

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path: Path) -> StsOptions:
    """Options of a short run."""
    return StsOptions(
        data=(training_data.sentences(tmp_path / "data"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=6,
        batch_size=8,
        evaluate_every=2,
        learning_rate=1e-3,
    )


def test_finished_run_leaves_a_similarity_model(options: StsOptions) -> None:
    """The metrics are Pearson's and Spearman's correlation on the test part."""
    report = train_sts(options)
    assert set(report.metrics) == {"pearson", "spearman"}
    metadata = json.loads((options.output / "rerank.json").read_text())
    assert (metadata["kind"], metadata["architecture"], metadata["languages"]) == (
        "similarity",
        "cross-encoder",
        ["it"],
    )
    assert report.to_json()["model"] == str(options.output)


def test_sentence_transformers_scores_from_0_to_1(options: StsOptions) -> None:
    """The folder is an ordinary cross-encoder."""
    from sentence_transformers import CrossEncoder

    train_sts(options)
    scores = np.asarray(CrossEncoder(str(options.output)).predict([("the cat", "a cat"), ("tea", "dog")]))
    assert scores.shape == (2,)
    assert bool(((scores > 0) & (scores < 1)).all())


def test_joint_student_scores_both_orders_equally(options: StsOptions) -> None:
    """Both texts pass the same layers, so that their order does not matter."""
    report = train_sts(replace(options, student="joint"))
    metadata = json.loads((options.output / "rerank.json").read_text())
    assert (metadata["kind"], metadata["architecture"]) == ("similarity", "joint")
    assert report.steps == 6
    model = load_pair_model(str(options.output), compute=REPRODUCIBLE_COMPUTE)
    forward, backward = (model.predict([pair]).probabilities[0, 0] for pair in (("the cat", "tea"), ("tea", "the cat")))
    assert forward == pytest.approx(backward, abs=1e-4)
    assert 0 < forward < 1


def test_training_has_every_pair_in_both_orders(options: StsOptions) -> None:
    """Each pair and its reverse have the same label."""
    data = read_sentence_pairs(options.data, language="it")
    rows = both_orders(data, options)
    assert len(rows) == 2 * len(data.train)
    assert sorted(map(repr, rows)) == sorted(map(repr, (row.swapped for row in rows)))


def test_language_selects_the_pairs(tmp_path: Path) -> None:
    """`both` reads two pairs per line; a score of 5 is a label of 1."""
    row = {"it": ["uno", "due"], "en": ["one", "two"], "score": 5}
    for part in ("train", "dev", "test"):
        training_data.write_lines(tmp_path / f"{part}.jsonl", [row, {**row, "score": 0}])
    read = {language: read_sentence_pairs([tmp_path], language=language).train for language in ("it", "en", "both")}
    assert read["it"] == (SentencePair("uno", "due", 1.0), SentencePair("uno", "due", 0.0))
    assert read["en"][0] == SentencePair("one", "two", 1.0)
    assert len(read["both"]) == 4


def test_interrupted_run_resumes_to_the_same_weights(options: StsOptions, tmp_path: Path) -> None:
    """Dropout draws the same values."""
    train_sts(options)
    interrupted = replace(options, output=tmp_path / "interrupted")
    with pytest.raises(SystemExit):
        train_sts(replace(interrupted, on_progress=stops(at=4)))
    train_sts(interrupted)
    assert_same_weights(options.output, interrupted.output)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"it": ["a", "b"], "score": 5.5}, 'train.jsonl:25: "score" must be a number from 0 to 5, got 5.5'),
        ({"it": ["a", "b"]}, 'train.jsonl:25: "score" must be a number from 0 to 5, but it is missing'),
        ({"it": ["a"], "score": 1}, 'train.jsonl:25: "it" must be a list of two strings'),
        ({"it": ["a", " "], "score": 1}, 'train.jsonl:25: "it" must be a non-blank string, got " "'),
    ],
)
def test_invalid_line_is_refused_with_its_location(options: StsOptions, row: dict[str, object], expected: str) -> None:
    """The message names file, line and problem."""
    file = options.data[0] / "train.jsonl"
    file.write_text(f"{file.read_text()}{json.dumps(row)}\n")
    with pytest.raises(TrainingDataError) as raised:
        train_sts(options)
    assert expected in raised.value.message


def test_insufficient_data_is_refused(options: StsOptions) -> None:
    """Fewer rows than a batch, equal scores, a missing part."""
    with pytest.raises(TrainingDataError, match="48 in both orders, fewer than a batch of 64"):
        train_sts(replace(options, batch_size=64))
    dev = options.data[0] / "dev.jsonl"
    training_data.write_lines(dev, [{"it": ["a", "b"], "score": 1}] * 9)
    with pytest.raises(TrainingDataError, match="all 9 are equal"):
        train_sts(options)
    dev.unlink()
    with pytest.raises(TrainingDataError, match=r"dev\.jsonl is missing"):
        train_sts(options)


def test_base_with_several_labels_is_refused(options: StsOptions, tmp_path: Path) -> None:
    """A classifier has no similarity score."""
    with pytest.raises(ModelInvalid, match="a head of 3 labels"):
        train_sts(replace(options, base=tiny.bert(tmp_path / "classifier", labels=3)))
