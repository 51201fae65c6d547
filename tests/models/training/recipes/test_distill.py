"""`train distill` from end to end, with tiny models."""

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
from rerank.models.training.recipes.distill import scale_of_teacher, train_distill
from tests.models import tiny
from tests.models.training import training_data
from tests.models.training.evaluation.test_evaluation import Lists
from tests.models.training.recipes.test_pairs import assert_same_weights, stops


@pytest.fixture
def options(tmp_path: Path) -> DistillOptions:
    """A short run: a joint model from a bi-encoder, taught by a tiny cross-encoder."""
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
    """Lines of a query, passages and a teacher's scores: one point for each of the query's words."""
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
def test_a_student_may_have_fewer_layers(options: DistillOptions, student: Student) -> None:
    """One of two layers is kept; the folder is a reranker that serves."""
    report = train_distill(replace(options, student=student, layers=1))
    assert {"spearman", "first", "ndcg@10", "mrr"} == set(report.metrics)
    assert json.loads((options.output / "config.json").read_text())["num_hidden_layers"] == 1
    assert json.loads((options.output / "rerank.json").read_text())["architecture"] == student
    logits = load_ranking_model(str(options.output)).reranker.score("tea", ["green tea", "a dog"]).logits
    assert np.isfinite(logits).all()


def test_training_teaches_the_teachers_order(options: DistillOptions, tmp_path: Path) -> None:
    """Scores that came with the data are learned, without a teacher at hand and without a label."""
    data = (scored(tmp_path / "scored.jsonl", queries=150),)
    longer = replace(options, data=data, teacher=None, max_steps=100, evaluate_every=50, batch_size=8)
    report = train_distill(replace(longer, learning_rate=3e-3, development=0.2))
    assert set(report.metrics) == {"spearman", "first"}
    assert report.metrics["spearman"] > report.before["spearman"] + 0.1


def test_a_bi_encoder_can_teach(options: DistillOptions, tmp_path: Path) -> None:
    """Its cosines are the scores."""
    assert train_distill(replace(options, teacher=tiny.bert(tmp_path / "encoder"))).steps == 6


def test_a_run_that_was_broken_off_goes_on(options: DistillOptions, tmp_path: Path) -> None:
    """The same weights as without a break, and the teacher is not asked again."""
    train_distill(options)
    broken = replace(options, output=tmp_path / "broken")
    with pytest.raises(SystemExit):
        train_distill(replace(broken, on_progress=stops(at=4)))
    asked: list[str] = []
    train_distill(replace(broken, on_preparation=lambda what, _done, _of: asked.append(what)))
    assert asked == []
    assert_same_weights(options.output, broken.output)


def test_the_logits_come_to_the_teachers_scale() -> None:
    """A slope and a shift are found again; an order turned round is left as it is."""
    taught = np.array([3.0, 1.0, -2.0])
    held_out = Lists((0.0, 0.0, 0.0))
    held_out.lists = [RankingList("q", ("p",) * 3, (0.0,) * 3, scores=tuple(taught))]
    assert scale_of_teacher([(taught - 5) / 2], held_out) == pytest.approx((2.0, 5.0))
    assert scale_of_teacher([-taught], held_out) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"query": "q", "passages": ["p"], "scores": [1]}', '"passages" must be a list of at least two texts'),
        ('{"query": "q", "passages": ["p", "r"], "scores": [1]}', '"scores" must have one number for each'),
        ('{"query": "q", "passages": ["p", "r"], "scores": [1, NaN]}', '"scores" must hold finite numbers'),
    ],
)
def test_a_bad_line_is_named(options: DistillOptions, tmp_path: Path, line: str, said: str) -> None:
    """File, line, and what is wrong."""
    file = scored(tmp_path / "scored.jsonl")
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(TrainingDataError, match=r"scored\.jsonl:41: ") as raised:
        train_distill(replace(options, data=(file,), teacher=None))
    assert said in raised.value.message


def test_what_cannot_be_distilled_is_refused(options: DistillOptions) -> None:
    """Lists without a teacher, and more layers than there are."""
    with pytest.raises(TrainingDataError, match="name a --teacher"):
        train_distill(replace(options, teacher=None))
    with pytest.raises(ModelInvalid, match="has 2 layers; 3 of them cannot be kept"):
        train_distill(replace(options, layers=3))
