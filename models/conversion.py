"""Preparation of models before the first request: the choice of the fastest backend, and the conversion for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rerank.core.settings import Precision, Runtime
from rerank.models.compute_options import ComputeOptions
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.choice import Backend, Choice, cached_choice, choose
from rerank.models.runtimes.trial import Trial


@dataclass(frozen=True)
class Preparation:
    """What computes a model here. converted: the folder of what was converted for it, None where nothing is kept.

    ready: nothing is left to be found out or converted at a start. trials: how the ways compared.
    """

    name: str
    runtime: Runtime
    precision: Precision
    converted: Path | None
    ready: bool
    trials: tuple[Trial, ...] = ()

    def to_json(self) -> dict[str, object]:
        """As `rerank-cli models convert --json` prints it."""
        return {**asdict(self), "converted": None if self.converted is None else str(self.converted)}


def prepare(folder: ModelFolder, compute: ComputeOptions) -> Preparation:
    """Make *folder*'s model ready; nothing is done twice.

    Raises SettingError for a runtime or a precision that is not there, and ModelInvalid for a broken model.
    """
    choice = choose(folder, compute)
    if choice.backend.runtime == "openvino":
        from rerank.models.runtimes.openvino.runtime import openvino_runtime

        openvino_runtime(choice.backend.precision, compute.cache).convert(folder)
    return _described(folder, choice, compute)


def preparation(folder: ModelFolder, compute: ComputeOptions) -> Preparation | None:
    """How ready the model is, changing nothing; None where it has not been found out what computes it."""
    choice = cached_choice(folder, compute)
    return None if choice is None else _described(folder, choice, compute)


def _described(folder: ModelFolder, choice: Choice, compute: ComputeOptions) -> Preparation:
    backend = choice.backend
    place, ready = _converted(folder, backend, compute)
    return Preparation(folder.name, backend.runtime, backend.precision, place, ready, choice.trials)


def _converted(folder: ModelFolder, backend: Backend, compute: ComputeOptions) -> tuple[Path | None, bool]:
    if backend.runtime != "openvino":
        return None, True
    from rerank.models.runtimes.openvino.runtime import openvino_runtime

    runtime = openvino_runtime(backend.precision, compute.cache)
    if not runtime.keeps(folder):
        return None, True
    return runtime.cache.place(folder, runtime.form), runtime.cache.holds(folder, runtime.form)
