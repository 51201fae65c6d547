"""Distil a shallower student from an encoder: its states of every token, layer by layer, and its vectors.

    python -m recipes.encoder.distill --base FOLDER --teacher FOLDER --texts FILE ... --output DIR --steps 20000

The base is the output of `shallower`. --matched names the teacher's layer that each student layer must reproduce. The
teacher runs beside the student, so the input is text alone. If interrupted, run the same command again to resume.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from recipes.encoder.course import Course, Losses, Options, order
from recipes.encoder.files import read_rows
from recipes.encoder.student import Student, pooled

_WINDOW = 64
"""Batches whose texts are sorted by length together."""


@dataclass(frozen=True)
class Texts:
    """Token ids of all texts, in batches of similar length."""

    rows: list[list[int]]
    batches: list[list[int]]

    @classmethod
    def read(cls, paths: Sequence[Path], student: Student, *, batch_tokens: int, max_tokens: int) -> Texts:
        """Reads the outputs of `texts`."""
        rows: list[list[int]] = []
        for path in paths:
            own = list(read_rows(path))
            for kind in ("query", "passage"):
                rows += student.ids(
                    [row["text"] for row in own if row["kind"] == kind], kind=kind, max_tokens=max_tokens
                )
        generator = torch.Generator().manual_seed(0)
        shuffled = torch.randperm(len(rows), generator=generator).tolist()
        batches: list[list[int]] = []
        window = _WINDOW * batch_tokens // 64
        for start in range(0, len(shuffled), window):
            part = sorted(shuffled[start : start + window], key=lambda number: len(rows[number]))
            batches += _filled(part, rows, batch_tokens=batch_tokens)
        places = torch.randperm(len(batches), generator=generator).tolist()
        return cls(rows, [batches[place] for place in places])


def _filled(numbers: Sequence[int], rows: Sequence[Sequence[int]], *, batch_tokens: int) -> list[list[int]]:
    """Cuts *numbers*, ascending by length, into batches of at most *batch_tokens* padded tokens."""
    batches: list[list[int]] = [[]]
    for number in numbers:
        if batches[-1] and (len(batches[-1]) + 1) * len(rows[number]) > batch_tokens:
            batches.append([])
        batches[-1].append(number)
    return batches


@dataclass(frozen=True)
class Distillation:
    """Student and teacher, and the layers that match."""

    student: Student
    teacher: Student
    matched: Sequence[int]
    temperature: float

    def losses(self, rows: Sequence[Sequence[int]]) -> tuple[Losses, int]:
        """Returns the losses of a batch, and its tokens."""
        ids, mask = self.student.padded(rows)
        with torch.no_grad():
            wanted = self.teacher.states(ids, mask)
        found = self.student.states(ids, mask)
        targets = [wanted[number + 1] for number in self.matched]
        inner = [_distance(own, target, mask) for own, target in zip(found[1:-1], targets[:-1], strict=True)]
        vectors, aims = pooled(found[-1], mask), pooled(wanted[-1], mask)
        parts = {
            "inner": torch.stack(inner).mean() if inner else vectors.new_zeros(()),
            "states": _distance(found[-1], wanted[-1], mask),
            "vectors": 10 * (1 - (vectors * aims).sum(dim=1)).mean(),
            "scores": self._scores(vectors, aims),
        }
        return parts, int(mask.sum())

    def _scores(self, vectors: Tensor, aims: Tensor) -> Tensor:
        """Returns the divergence between the distributions of each text over the other texts of the batch."""
        own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        found, wanted = (
            functional.log_softmax((side @ side.T / self.temperature).masked_fill(own, -1e4), dim=1)
            for side in (vectors, aims)
        )
        return functional.kl_div(found, wanted, log_target=True, reduction="batchmean")


def _distance(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Returns the squared error of the tokens' states, as a fraction of the teacher's mean square."""
    error = ((found - wanted) ** 2)[mask].mean()
    return error / (wanted**2)[mask].mean()


def main() -> None:
    """Distils, or resumes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--texts", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True, help="Number of steps in total.")
    parser.add_argument("--decay-from", type=int, help="Step from which the rate falls to 0. By default it stays.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Stops after this time, with a checkpoint.")
    parser.add_argument("--rate", type=float, default=2e-4, help="Learning rate.")
    parser.add_argument("--matched", type=int, nargs="+", default=[1, 3, 5, 7, 9, 11])
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=0.02)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    student, teacher = Student(args.base).to(args.device), Student(args.teacher).to(args.device).eval()
    student.hold_table()
    texts = Texts.read(args.texts, student, batch_tokens=args.batch_tokens, max_tokens=args.max_tokens)
    print(f"texts={len(texts.rows)} batches={len(texts.batches)}", flush=True)
    distillation = Distillation(student, teacher, args.matched, args.temperature)
    options = Options(
        args.steps,
        args.rate,
        warm_up=100,
        decay_from=args.decay_from,
        mean_over=200,
        minutes=args.minutes,
        seed=args.seed,
    )
    settings = {name: str(value) for name, value in vars(args).items()}

    def losses(step: int) -> tuple[Losses, int]:
        batch = texts.batches[order(step, len(texts.batches), seed=args.seed)]
        return distillation.losses([texts.rows[number] for number in batch])

    Course(student, options, args.output, settings=settings).run(losses)


if __name__ == "__main__":
    main()
