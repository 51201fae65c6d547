"""A run's folder: which run it belongs to, whether it is finished, and where its checkpoints lie."""

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
_NOT_THE_RUN = ("output", "on_progress", "on_preparation", "threads", "data", "base")
"""Options that do not change what comes out, and those that are told by their content instead of their place."""


def run_key(recipe: str, options: RunOptions, *, data: Mapping[str, str], base: str) -> dict[str, object]:
    """Everything that decides what a run does; *data*: the files' hashes, *base*: the base model's fingerprint."""
    settings = {key: value for key, value in asdict(options).items() if key not in _NOT_THE_RUN}
    return {"recipe": recipe, **settings, "data": dict(data), "base": base}


@dataclass(frozen=True)
class RunFolder:
    """The model folder of a run. `run`: everything that decides what the run does, as JSON values."""

    path: Path
    run: Mapping[str, object]

    @property
    def checkpoints(self) -> Path:
        """Where a run that was broken off goes on from."""
        return self.path / CHECKPOINTS

    def finished(self) -> TrainingReport | None:
        """What this very run left behind, if it was finished before; else the folder is made ready for it.

        Of several processes the first one does it; the others find it done.

        Raises TrainingFailed when the folder holds another run, or cannot be written.
        """
        with main_process_first():
            return self._finished()

    def _finished(self) -> TrainingReport | None:
        metrics = self._read(self.path / METRICS_FILE)
        if metrics is not None:
            self._check(metrics.get("run"), "the model of another run")
            return TrainingReport.from_json(metrics.get("report"), self.path)
        begun = self._read(self.checkpoints / _RUN_FILE)
        if begun != self.run and any(self.checkpoints.glob("checkpoint-*")):
            self._check(begun, "checkpoints of another run")
        if begun == self.run:
            self._check_writable()
            return None
        try:
            if begun is not None:
                # Another run that failed before its first checkpoint: what it prepared is of no use to this one.
                shutil.rmtree(self.checkpoints)
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            (self.checkpoints / _RUN_FILE).write_text(json.dumps(self.run, indent=2), encoding="utf-8")
        except OSError as exc:
            raise TrainingFailed(f"{self.path}: cannot be written: {exc.strerror}; choose another --output") from exc
        return None

    def _check_writable(self) -> None:
        if not os.access(self.checkpoints, os.W_OK):
            raise TrainingFailed(f"{self.path}: cannot be written; choose another --output")

    def finish(self, report: TrainingReport, *, log: object) -> None:
        """Write metrics.json, which marks the run as finished, and drop the checkpoints. Raises OSError."""
        content = {"report": report.to_json(), "run": self.run, "log": log}
        (self.path / METRICS_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self.checkpoints)

    def _check(self, found: object, what: str) -> None:
        if found == self.run:
            return
        before = found if isinstance(found, dict) else {}
        other = sorted(key for key in {*before, *self.run} if before.get(key) != self.run.get(key))
        raise TrainingFailed(
            f"{self.path} holds {what} ({', '.join(other)} differ); choose another --output, or delete the folder"
        )

    @staticmethod
    def _read(file: Path) -> dict[str, object] | None:
        if not file.exists():
            return None
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise TrainingFailed(f"{file}: cannot be read: {exc}; choose another --output") from exc
        if not isinstance(content, dict):
            raise TrainingFailed(f"{file}: is no JSON object; choose another --output")
        return content
