"""Models made ready before anyone asks: the fastest way of computing them found out, and what it needs converted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rerank.core.settings import Precision, Runtime
from rerank.models.computing import Computing
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.choice import Choice, Way, choose, remembered_choice
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


def prepare(folder: ModelFolder, computing: Computing) -> Preparation:
    """Make *folder*'s model ready; nothing is done twice.

    Raises SettingError for a runtime or a precision that is not there, and ModelInvalid for a broken model.
    """
    choice = choose(folder, computing)
    if choice.way.runtime == "openvino":
        from rerank.models.runtimes.openvino.runtime import opened

        opened(choice.way.precision, computing.cache).convert(folder)
    return _described(folder, choice, computing)


def preparation(folder: ModelFolder, computing: Computing) -> Preparation | None:
    """How ready the model is, changing nothing; None where it has not been found out what computes it."""
    choice = remembered_choice(folder, computing)
    return None if choice is None else _described(folder, choice, computing)


def _described(folder: ModelFolder, choice: Choice, computing: Computing) -> Preparation:
    way = choice.way
    place, ready = _converted(folder, way, computing)
    return Preparation(folder.name, way.runtime, way.precision, place, ready, choice.trials)


def _converted(folder: ModelFolder, way: Way, computing: Computing) -> tuple[Path | None, bool]:
    if way.runtime != "openvino":
        return None, True
    from rerank.models.runtimes.openvino.runtime import opened

    runtime = opened(way.precision, computing.cache)
    if not runtime.keeps(folder):
        return None, True
    return runtime.cache.place(folder, runtime.form), runtime.cache.holds(folder, runtime.form)
