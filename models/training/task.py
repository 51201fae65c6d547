"""What all recipes have in common: from a course that was prepared to a model folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import set_seed

from rerank.models.training.distributed import is_main_process, wait_for_all_processes
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import RunOptions
from rerank.models.training.outcome import write_outcome
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import RunSettings, TrainingRun, TrainingSet
from rerank.models.training.run_folder import RunFolder

Measure = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """A module with what it learns from and is measured on.

    evaluation: measures the module as it is; `metric` of it chooses the best checkpoint, higher is better.
    measure: what the report holds from before and after. afterwards: what is done to the best weights before they are
    measured and saved.
    """

    module: TrainableModule
    examples: TrainingSet
    evaluation: Measure
    metric: str
    save: Callable[[Path], None]
    card: ModelCard
    measure: Measure | None = None
    afterwards: Callable[[], None] = lambda: None


def begin(options: RunOptions) -> float:
    """Set threads and seed; returns the time.monotonic() of now."""
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)
    return time.monotonic()


def train_and_save(options: RunOptions, folder: RunFolder, course: TrainingTask, *, started: float) -> TrainingReport:
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
    wait_for_all_processes()
    if is_main_process():
        write_outcome(folder, report, outcome, save=course.save, card=course.card, metric=course.metric)
    wait_for_all_processes()
    return report
