"""Tune an encoder on planned batches: contrast with the gold passages, and the teachers' score distribution.

    python -m recipes.encoder.tune --base FOLDER --batches DIR --output DIR --steps 600 [--device cuda]

The output holds the checkpoint and a log. If interrupted, run the same command again to resume.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipes.encoder.course import Course, Losses, Options, order
from recipes.encoder.files import Row, read_rows
from recipes.encoder.losses import contrast, distillation
from recipes.encoder.student import Student


@dataclass(frozen=True)
class Batches:
    """Planned batches and their teacher scores."""

    rows: list[Row]
    scores: list[Tensor | None]

    @classmethod
    def read(cls, folders: Sequence[Path]) -> Batches:
        """Reads the outputs of `batches`, one after the other."""
        rows: list[Row] = []
        scores: list[Tensor | None] = []
        for folder in folders:
            own = list(read_rows(folder / "batches.jsonl.gz"))
            scores += _scores(folder / "scores.npz", len(own))
            rows += own
        return cls(rows, scores)

    def gold(self, number: int) -> Tensor:
        """Returns which passages answer which queries: boolean (queries, passages)."""
        row = self.rows[number]
        gold = torch.zeros(len(row["queries"]), len(row["passages"]), dtype=torch.bool)
        for query, places in enumerate(row["gold"]):
            gold[query, places] = True
        return gold


def _scores(path: Path, count: int) -> list[Tensor | None]:
    if not path.exists():
        return [None] * count
    with np.load(path) as stored:
        return [torch.from_numpy(stored[str(number)].astype(np.float32)) for number in range(count)]


@dataclass(frozen=True)
class Objective:
    """Weights and temperatures of the losses, and the longest texts."""

    temperature: float
    teacher_weight: float
    margin: float
    query_tokens: int
    passage_tokens: int

    def losses(self, student: Student, batches: Batches, number: int) -> tuple[Losses, int]:
        """Returns the losses of a batch, and its tokens."""
        row = batches.rows[number]
        queries = student.ids(row["queries"], kind="query", max_tokens=self.query_tokens)
        passages = student.ids(row["passages"], kind="passage", max_tokens=self.passage_tokens)
        vectors = student([*queries, *passages])
        cosines = vectors[: len(queries)] @ vectors[len(queries) :].T
        gold, teacher = batches.gold(number).to(cosines.device), batches.scores[number]
        teacher = None if teacher is None else teacher.to(cosines.device)
        parts = {"contrast": contrast(cosines, gold, teacher, temperature=self.temperature, margin=self.margin)}
        if teacher is not None and self.teacher_weight:
            parts["teacher"] = self.teacher_weight * distillation(cosines, teacher, temperature=self.temperature)
        return parts, sum(map(len, queries)) + sum(map(len, passages))


def main() -> None:
    """Trains, or resumes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--batches", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True, help="Number of steps in total.")
    parser.add_argument("--decay-from", type=int, help="Step from which the rate falls to 0. By default it stays.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Stops after this time, with a checkpoint.")
    parser.add_argument("--rate", type=float, default=4e-5, help="Learning rate.")
    parser.add_argument("--warm-up", type=int, default=20, help="Number of steps in which the rate rises.")
    parser.add_argument("--mean-over", type=float, default=50.0, help="Steps that the mean of the weights covers.")
    parser.add_argument("--temperature", type=float, default=0.02)
    parser.add_argument("--teacher-weight", type=float, default=1.0)
    parser.add_argument("--margin", type=float, default=0.0, help="Of likely false negatives, in teacher scores.")
    parser.add_argument("--query-tokens", type=int, default=48)
    parser.add_argument("--passage-tokens", type=int, default=112)
    parser.add_argument("--held-layers", type=int, default=0, help="Number of lower layers that stay as they are.")
    parser.add_argument(
        "--train-table", action="store_true", help="Trains the word embeddings, which then need a byte a weight."
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    student = Student(args.base).to(args.device)
    student.hold(args.held_layers)
    if not args.train_table:
        student.hold_table()
    batches = Batches.read(args.batches)
    objective = Objective(args.temperature, args.teacher_weight, args.margin, args.query_tokens, args.passage_tokens)
    options = Options(
        args.steps,
        args.rate,
        warm_up=args.warm_up,
        decay_from=args.decay_from,
        mean_over=args.mean_over,
        minutes=args.minutes,
        seed=args.seed,
    )
    settings = {name: str(value) for name, value in vars(args).items()}
    course = Course(student, options, args.output, settings=settings)
    course.run(lambda step: objective.losses(student, batches, order(step, len(batches.rows), seed=args.seed)))


if __name__ == "__main__":
    main()
