"""Output folder of a run: its parameters, its checkpoints, and the report of a finished run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rerank.core.errors import TrainingFailed
from rerank.models.training.distributed import main_process_first
from rerank.models.training.options import RunOptions
from rerank.models.training.report import TrainingReport

METRICS_FILE = "metrics.json"
CHECKPOINTS = "checkpoints"
_RUN_FILE = "run.json"
# These options do not change the result, or are identified by content (hash, fingerprint) instead of path.
_NOT_PARAMETERS = ("output", "on_progress", "on_preparation", "threads", "data", "base")
_OTHER_OUTPUT = "Choose another --output"


def run_parameters(recipe: str, options: RunOptions, *, data: Mapping[str, str], base: str) -> dict[str, object]:
    """Returns everything that determines a run's result, as JSON values.

    *data*: SHA-256 of each file, by path. *base*: fingerprint of the base model.
    """
    settings = {key: value for key, value in asdict(options).items() if key not in _NOT_PARAMETERS}
    return {"recipe": recipe, **settings, "data": dict(data), "base": base}


@dataclass(frozen=True)
class RunFolder:
    """Model folder of a run. `run`: the run's parameters."""

    path: Path
    run: Mapping[str, object]

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints that an interrupted run resumes from."""
        return self.path / CHECKPOINTS

    def finished_report(self) -> TrainingReport | None:
        """Returns the report of this run if it is finished. Otherwise prepares the folder and returns None.

        The main process prepares the folder, the other processes wait for it. Raises TrainingFailed if the folder
        belongs to another run or cannot be written.
        """
        with main_process_first():
            return self._finished_report()

    def finish(self, report: TrainingReport, *, log: object) -> None:
        """Writes metrics.json, which marks the run as finished, and removes the checkpoints. Raises OSError."""
        content = {"report": report.to_json(), "run": self.run, "log": log}
        (self.path / METRICS_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self.checkpoints)

    def _finished_report(self) -> TrainingReport | None:
        metrics = _read_json(self.path / METRICS_FILE)
        if metrics is not None:
            self._check_same_run(metrics.get("run"), "the model of another run")
            return TrainingReport.from_json(metrics.get("report"), self.path)
        started = _read_json(self.checkpoints / _RUN_FILE)
        if started != self.run and any(self.checkpoints.glob("checkpoint-*")):
            self._check_same_run(started, "checkpoints of another run")
        if started == self.run:
            if not os.access(self.checkpoints, os.W_OK):
                raise TrainingFailed(f"{self.path}: cannot write to the folder. {_OTHER_OUTPUT}.")
            return None
        try:
            if started is not None:
                # Another run ended here before its first checkpoint; its prepared data does not fit this run.
                shutil.rmtree(self.checkpoints)
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            (self.checkpoints / _RUN_FILE).write_text(json.dumps(self.run, indent=2), encoding="utf-8")
        except OSError as exc:
            raise TrainingFailed(f"{self.path}: cannot write to the folder: {exc.strerror}. {_OTHER_OUTPUT}.") from exc
        return None

    def _check_same_run(self, found: object, description: str) -> None:
        if found == self.run:
            return
        other = found if isinstance(found, dict) else {}
        different = sorted(key for key in {*other, *self.run} if other.get(key) != self.run.get(key))
        raise TrainingFailed(
            f"{self.path} contains {description} with different {', '.join(different)}. {_OTHER_OUTPUT}, or delete the"
            " folder."
        )


def _read_json(file: Path) -> dict[str, object] | None:
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise TrainingFailed(f"{file}: cannot read the file: {exc}. {_OTHER_OUTPUT}.") from exc
    if not isinstance(content, dict):
        raise TrainingFailed(f"{file} must be a JSON object. {_OTHER_OUTPUT}.")
    return content
