"""Training of a prepared task and writing of the model folder, common to all recipes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import set_seed

from rerank.core.errors import TrainingFailed
from rerank.models.training.distributed import is_main_process, wait_for_all_processes
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import RunOptions
from rerank.models.training.plot import PLOT_FILE, plot_run
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import RunOutcome, RunSettings, TrainingRun, TrainingSet
from rerank.models.training.run_folder import RunFolder

Evaluation = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """Module with its training set and evaluation.

    evaluation: computes the metrics of the current weights. The checkpoint with the highest `metric` is the best one.
    final_evaluation: metrics for the report, before and after training; `evaluation` by default. finalize: changes the
    best weights before they are measured and saved.
    """

    module: TrainableModule
    training_set: TrainingSet
    evaluation: Evaluation
    metric: str
    save: Callable[[Path], None]
    card: ModelCard
    final_evaluation: Evaluation | None = None
    finalize: Callable[[], None] = lambda: None


def prepare_process(options: RunOptions) -> float:
    """Sets the number of threads and the seed. Returns the current time.monotonic()."""
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)
    return time.monotonic()


def train_and_save(options: RunOptions, folder: RunFolder, task: TrainingTask, *, started: float) -> TrainingReport:
    """Trains, and writes the best checkpoint's weights and all other files to *folder*.

    Raises TrainingFailed if the run cannot continue, KeyboardInterrupt after Ctrl-C. The checkpoints remain.
    """
    final_evaluation = task.final_evaluation or task.evaluation
    before = final_evaluation()
    settings = RunSettings.of(options, checkpoints=folder.checkpoints, metric=task.metric)
    outcome = TrainingRun(task.module, settings, training_set=task.training_set, evaluation=task.evaluation).run()
    task.finalize()
    report = TrainingReport(
        model=options.output,
        metrics=final_evaluation(),
        before=before,
        steps=outcome.steps,
        best_step=outcome.best_step,
        seconds=time.monotonic() - started,
    )
    # The main process removes the checkpoints, which the other processes must have loaded by then.
    wait_for_all_processes()
    if is_main_process():
        _write_model(folder, task, report, outcome)
    wait_for_all_processes()
    return report


def _write_model(folder: RunFolder, task: TrainingTask, report: TrainingReport, outcome: RunOutcome) -> None:
    """Writes all files of *folder*. metrics.json is written last: it marks the run as finished.

    Raises TrainingFailed if the folder cannot be written. The checkpoints remain.
    """
    try:
        task.save(folder.path)
        task.card.write(folder.path, report)
        plot_run(outcome.log, folder.path / PLOT_FILE, metric=task.metric)
        folder.finish(report, log=list(outcome.log))
    except (OSError, SafetensorError) as exc:
        raise TrainingFailed(
            f"{folder.path}: cannot write the model: {exc}. The checkpoints remain in {folder.checkpoints}."
        ) from exc
