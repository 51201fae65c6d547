"""Preparation of models before the first request: choice of the fastest backend, and conversion of the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rerank.core.setting_types import Precision, Runtime
from rerank.models.compute_options import ComputeOptions
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.choice import Backend, Choice, cached_choice, choose
from rerank.models.runtimes.trial import Trial


@dataclass(frozen=True)
class Preparation:
    """The backend of a model on this machine.

    converted: folder of the converted model; None if this backend stores no converted models. ready: True if a start
    measures and converts nothing. trials: measurements of the backends.
    """

    name: str
    runtime: Runtime
    precision: Precision
    converted: Path | None
    ready: bool
    trials: tuple[Trial, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Returns the preparation as in the output of `rerank-cli models convert --json`."""
        return {**asdict(self), "converted": None if self.converted is None else str(self.converted)}


def prepare(folder: ModelFolder, compute: ComputeOptions) -> Preparation:
    """Chooses the backend of *folder*'s model and converts the model for it, unless both are done.

    Raises SettingError for an unavailable runtime or precision, and ModelInvalid for a broken model.
    """
    choice = choose(folder, compute)
    if choice.backend.runtime == "openvino":
        from rerank.models.runtimes.openvino.runtime import openvino_runtime

        openvino_runtime(choice.backend.precision, compute.cache).convert(folder)
    return _preparation_of(folder, choice, compute)


def preparation(folder: ModelFolder, compute: ComputeOptions) -> Preparation | None:
    """Returns the state of the model's preparation without changing it; None if no backend was chosen yet."""
    choice = cached_choice(folder, compute)
    return None if choice is None else _preparation_of(folder, choice, compute)


def _preparation_of(folder: ModelFolder, choice: Choice, compute: ComputeOptions) -> Preparation:
    backend = choice.backend
    path, ready = _converted(folder, backend, compute)
    return Preparation(folder.name, backend.runtime, backend.precision, path, ready, choice.trials)


def _converted(folder: ModelFolder, backend: Backend, compute: ComputeOptions) -> tuple[Path | None, bool]:
    if backend.runtime != "openvino":
        return None, True
    from rerank.models.runtimes.openvino.runtime import openvino_runtime

    runtime = openvino_runtime(backend.precision, compute.cache)
    if not runtime.caches(folder):
        return None, True
    return runtime.cache.path(folder, runtime.form), runtime.cache.contains(folder, runtime.form)
