"""End-to-end tests of `train distill` with tiny models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, TrainingDataError
from rerank.models.loading import load_ranking_model
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.options import DistillOptions, Student
from rerank.models.training.recipes.distill import fit_teacher_scale, train_distill
from tests.models import tiny
from tests.models.training import training_data
from tests.models.training.evaluation.test_evaluation import Lists
from tests.models.training.recipes.test_pairs import assert_same_weights, stops

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path: Path) -> DistillOptions:
    """Options of a short run: a joint reranker from a bi-encoder, with a tiny cross-encoder as teacher."""
    return DistillOptions(
        data=(training_data.pairs(tmp_path / "pairs.jsonl"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        teacher=tiny.bert(tmp_path / "teacher", labels=1, num_labels=1),
        max_steps=6,
        batch_size=4,
        evaluate_every=2,
        learning_rate=1e-3,
        negatives=3,
        max_tokens=32,
    )


def scored(file: Path, *, queries: int = 40) -> Path:
    """Writes scored lists. A passage's score is the number of words it shares with the query, minus 2."""
    rows = [json.loads(line) for line in training_data.pairs(file, queries=queries).read_text().splitlines()]
    lists = [
        {
            "query": part[0]["query"],
            "passages": [row["passage"] for row in part],
            "scores": [len(set(row["query"].split()) & set(row["passage"].split())) - 2.0 for row in part],
        }
        for part in (rows[at : at + 3] for at in range(0, len(rows), 3))
    ]
    return training_data.write_lines(file, lists)


@pytest.mark.parametrize("student", ["joint", "cross-encoder"])
def test_student_keeps_the_requested_number_of_layers(options: DistillOptions, student: Student) -> None:
    """The folder is a reranker that loads and scores."""
    report = train_distill(replace(options, student=student, layers=1))
    assert {"spearman", "first", "ndcg@10", "mrr"} == set(report.metrics)
    assert json.loads((options.output / "config.json").read_text())["num_hidden_layers"] == 1
    assert json.loads((options.output / "rerank.json").read_text())["architecture"] == student
    logits = load_ranking_model(str(options.output)).reranker.score("tea", ["green tea", "a dog"]).logits
    assert np.isfinite(logits).all()


def test_training_improves_agreement_with_the_teacher(options: DistillOptions, tmp_path: Path) -> None:
    """Scores in the data need neither a teacher nor labels."""
    data = (scored(tmp_path / "scored.jsonl", queries=150),)
    longer = replace(options, data=data, teacher=None, max_steps=100, evaluate_every=50, batch_size=8)
    report = train_distill(replace(longer, learning_rate=3e-3, development=0.2))
    assert set(report.metrics) == {"spearman", "first"}
    assert report.metrics["spearman"] > report.before["spearman"] + 0.1


def test_bi_encoder_can_be_the_teacher(options: DistillOptions, tmp_path: Path) -> None:
    """Its cosines are the scores."""
    assert train_distill(replace(options, teacher=tiny.bert(tmp_path / "encoder"))).steps == 6


def test_interrupted_run_resumes_to_the_same_weights(options: DistillOptions, tmp_path: Path) -> None:
    """The teacher does not score again."""
    train_distill(options)
    interrupted = replace(options, output=tmp_path / "interrupted")
    with pytest.raises(SystemExit):
        train_distill(replace(interrupted, on_progress=stops(at=4)))
    preparations: list[str] = []
    train_distill(replace(interrupted, on_preparation=lambda work, _done, _all: preparations.append(work)))
    assert preparations == []
    assert_same_weights(options.output, interrupted.output)


def test_scale_fit_recovers_slope_and_shift() -> None:
    """An inverse order keeps the logits."""
    true = np.array([3.0, 1.0, -2.0])
    held_out = Lists((0.0, 0.0, 0.0))
    held_out.lists = [RankingList("q", ("p",) * 3, (0.0,) * 3, scores=tuple(true))]
    assert fit_teacher_scale([(true - 5) / 2], held_out) == pytest.approx((2.0, 5.0))
    assert fit_teacher_scale([-true], held_out) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"query": "q", "passages": ["p"], "scores": [1]}',
            '"passages" must be a list of at least 2 non-blank strings',
        ),
        (
            '{"query": "q", "passages": ["p", "r"], "scores": [1]}',
            '"scores" must have one number per passage, 2 in all',
        ),
        ('{"query": "q", "passages": ["p", "r"], "scores": [1, NaN]}', '"scores" must have finite numbers'),
    ],
)
def test_invalid_line_is_refused_with_its_location(
    options: DistillOptions, tmp_path: Path, line: str, expected: str
) -> None:
    """The message names file, line and problem."""
    file = scored(tmp_path / "scored.jsonl")
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(TrainingDataError, match=r"scored\.jsonl:41: ") as raised:
        train_distill(replace(options, data=(file,), teacher=None))
    assert expected in raised.value.message


def test_missing_teacher_and_too_many_layers_are_refused(options: DistillOptions) -> None:
    """Each message names the option."""
    with pytest.raises(TrainingDataError, match="Name a --teacher"):
        train_distill(replace(options, teacher=None))
    with pytest.raises(ModelInvalid, match=r"--layers must be from 1 to 2 for .*, got 3"):
        train_distill(replace(options, layers=3))
