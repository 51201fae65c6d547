"""`train sts` from end to end, with tiny models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.computing import REPRODUCIBLE
from rerank.models.pair_models import load_pair_model
from rerank.models.training.data.sentence_pairs import SentencePair, read_sentence_pairs
from rerank.models.training.options import StsOptions
from rerank.models.training.recipes.sts import both_orders, train_sts
from tests.models import tiny
from tests.models.training import training_data
from tests.models.training.recipes.test_pairs import assert_same_weights, stops


@pytest.fixture
def options(tmp_path: Path) -> StsOptions:
    """A short run."""
    return StsOptions(
        data=(training_data.sentences(tmp_path / "data"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=6,
        batch_size=8,
        evaluate_every=2,
        learning_rate=1e-3,
    )


def test_the_folder_holds_a_similarity_model(options: StsOptions) -> None:
    """rerank.json says so; the metrics are Pearson and Spearman on the test part."""
    report = train_sts(options)
    assert set(report.metrics) == {"pearson", "spearman"}
    said = json.loads((options.output / "rerank.json").read_text())
    assert (said["kind"], said["architecture"], said["languages"]) == ("similarity", "cross-encoder", ["it"])
    assert report.to_json()["model"] == str(options.output)


def test_sentence_transformers_loads_it_and_answers_from_0_to_1(options: StsOptions) -> None:
    """An ordinary cross-encoder folder: the sigmoid is theirs as well."""
    from sentence_transformers import CrossEncoder

    train_sts(options)
    scores = np.asarray(CrossEncoder(str(options.output)).predict([("the cat", "a cat"), ("tea", "dog")]))
    assert scores.shape == (2,)
    assert bool(((scores > 0) & (scores < 1)).all())


def test_a_joint_student_scores_both_orders_alike(options: StsOptions) -> None:
    """It reads the two texts by the same layers: exchanged, they are as alike as before; and it can be served."""
    report = train_sts(replace(options, student="joint"))
    said = json.loads((options.output / "rerank.json").read_text())
    assert (said["kind"], said["architecture"]) == ("similarity", "joint")
    assert report.steps == 6
    model = load_pair_model(str(options.output), computing=REPRODUCIBLE)
    there, back = (model.predict([pair]).probabilities[0, 0] for pair in (("the cat", "tea"), ("tea", "the cat")))
    assert there == pytest.approx(back, abs=1e-4)
    assert 0 < there < 1


def test_every_pair_is_learned_in_both_orders(options: StsOptions) -> None:
    """A likeness has no direction: twice as many rows, each with its twin and the same label."""
    data = read_sentence_pairs(options.data, language="it")
    rows = both_orders(data, options)
    assert len(rows) == 2 * len(data.train)
    assert sorted(map(repr, rows)) == sorted(map(repr, (row.turned for row in rows)))


def test_the_language_chooses_the_pairs(tmp_path: Path) -> None:
    """`both` reads the two pairs of each line; a score of 5 is 1."""
    row = {"it": ["uno", "due"], "en": ["one", "two"], "score": 5}
    for part in ("train", "dev", "test"):
        training_data.write_lines(tmp_path / f"{part}.jsonl", [row, {**row, "score": 0}])
    read = {language: read_sentence_pairs([tmp_path], language=language).train for language in ("it", "en", "both")}
    assert read["it"] == (SentencePair("uno", "due", 1.0), SentencePair("uno", "due", 0.0))
    assert read["en"][0] == SentencePair("one", "two", 1.0)
    assert len(read["both"]) == 4


def test_a_run_that_was_broken_off_goes_on(options: StsOptions, tmp_path: Path) -> None:
    """Dropout included: the same weights as without a break."""
    train_sts(options)
    broken = replace(options, output=tmp_path / "broken")
    with pytest.raises(SystemExit):
        train_sts(replace(broken, on_progress=stops(at=4)))
    train_sts(broken)
    assert_same_weights(options.output, broken.output)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"it": ["a", "b"], "score": 5.5}, 'train.jsonl:25: "score" is 5.5, outside 0 to 5'),
        ({"it": ["a", "b"]}, 'train.jsonl:25: "score" is missing'),
        ({"it": ["a"], "score": 1}, 'train.jsonl:25: "it" is missing or no pair'),
        ({"it": ["a", " "], "score": 1}, 'train.jsonl:25: "it" is missing or no text'),
    ],
)
def test_a_bad_line_is_named(options: StsOptions, row: dict[str, object], said: str) -> None:
    """File, line, and what is wrong."""
    file = options.data[0] / "train.jsonl"
    file.write_text(f"{file.read_text()}{json.dumps(row)}\n")
    with pytest.raises(TrainingDataError) as raised:
        train_sts(options)
    assert said in raised.value.message


def test_data_that_nothing_can_be_learned_from_is_refused(options: StsOptions) -> None:
    """A missing part, one score only, fewer rows than a batch."""
    with pytest.raises(TrainingDataError, match="48 rows in both orders, fewer than a batch of 64"):
        train_sts(replace(options, batch_size=64))
    dev = options.data[0] / "dev.jsonl"
    training_data.write_lines(dev, [{"it": ["a", "b"], "score": 1}] * 9)
    with pytest.raises(TrainingDataError, match="9 pairs without two different scores"):
        train_sts(options)
    dev.unlink()
    with pytest.raises(TrainingDataError, match=r"no dev\.jsonl"):
        train_sts(options)


def test_a_head_of_more_labels_is_refused(options: StsOptions, tmp_path: Path) -> None:
    """A classifier does not say how alike two texts are."""
    with pytest.raises(ModelInvalid, match="a head of 3 labels"):
        train_sts(replace(options, base=tiny.bert(tmp_path / "classifier", labels=3)))
