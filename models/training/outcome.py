"""The end of a run: the model, its papers and its picture, written in an order that a kill cannot confuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from rerank.core.errors import TrainingFailed
from rerank.models.training.model_card import ModelCard
from rerank.models.training.plot import PLOT_FILE, draw
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import RunOutcome
from rerank.models.training.run_folder import RunFolder


def write_outcome(
    folder: RunFolder,
    report: TrainingReport,
    outcome: RunOutcome,
    *,
    save: Callable[[Path], None],
    card: ModelCard,
    metric: str,
) -> None:
    """Write everything that `folder` is to hold; metrics.json comes last and marks the run as finished.

    Raises TrainingFailed when the folder cannot be written; the checkpoints are still there.
    """
    try:
        save(folder.path)
        card.write(folder.path, report)
        draw(outcome.log, folder.path / PLOT_FILE, metric=metric)
        folder.finish(report, log=list(outcome.log))
    except (OSError, SafetensorError) as exc:
        raise TrainingFailed(
            f"{folder.path}: the model could not be written: {exc}; the checkpoints are in {folder.checkpoints}"
        ) from exc
