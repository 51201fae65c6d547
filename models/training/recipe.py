"""What all recipes have in common: from a course that was prepared to a model folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import set_seed

from rerank.models.training.card import Card
from rerank.models.training.options import RunOptions
from rerank.models.training.outcome import write_outcome
from rerank.models.training.ranks import is_first, wait_for_all
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import Examples, RunSettings, TrainingRun
from rerank.models.training.run_folder import RunFolder
from rerank.models.training.trainable import Trainable

Measure = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Course:
    """A module with what it learns from and is measured on.

    evaluation: measures the module as it is; `metric` of it chooses the best checkpoint, higher is better.
    measure: what the report holds from before and after. afterwards: what is done to the best weights before they are
    measured and saved.
    """

    module: Trainable
    examples: Examples
    evaluation: Measure
    metric: str
    save: Callable[[Path], None]
    card: Card
    measure: Measure | None = None
    afterwards: Callable[[], None] = lambda: None


def begin(options: RunOptions) -> float:
    """Set threads and seed; returns the time.monotonic() of now."""
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)
    return time.monotonic()


def conduct(options: RunOptions, folder: RunFolder, course: Course, *, started: float) -> TrainingReport:
    """Train, and leave the best checkpoint's weights with all papers in *folder*.

    Raises TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    measure = course.measure or course.evaluation
    before = measure()
    settings = RunSettings.of(options, checkpoints=folder.checkpoints, metric=course.metric)
    outcome = TrainingRun(course.module, settings, examples=course.examples, evaluation=course.evaluation).run()
    course.afterwards()
    report = TrainingReport(
        model=options.output,
        metrics=measure(),
        before=before,
        steps=outcome.steps,
        best_step=outcome.best_step,
        seconds=time.monotonic() - started,
    )
    # Nobody may still be reading a checkpoint when the first process removes them.
    wait_for_all()
    if is_first():
        write_outcome(folder, report, outcome, save=course.save, card=course.card, metric=course.metric)
    wait_for_all()
    return report
