"""Converted models in a folder, by fingerprint: made once, and made again when anything of them is broken."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from rerank.models.folder import ModelFolder
from rerank.models.runtimes.openvino.converted import ConvertedModel, ConvertedModelBroken

Form = Literal["float", "int8"]
"""What is kept of a model: floating point, for float32 and bfloat16 alike, or 8-bit whole numbers."""

_FORMAT = 1
"""Raised whenever a conversion would give something else."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvertedModels:
    """The converted models under *folder*. Safe for many processes: one converts, the others wait for it."""

    folder: Path

    def place(self, model: ModelFolder, form: Form) -> Path:
        """The folder of *model* in *form*, whether it is there or not."""
        return self.folder.expanduser() / "converted" / f"{model.fingerprint}-{form}-{_FORMAT}"

    def holds(self, model: ModelFolder, form: Form) -> bool:
        """Whether *model* is there in *form*, whole."""
        return self._found(self.place(model, form)) is not None

    def get(self, model: ModelFolder, form: Form, convert: Callable[[], ConvertedModel]) -> ConvertedModel:
        """*model* in *form*, converted now when it is not there.

        A folder that cannot be written costs the next start a conversion, which is logged; it is no error.
        """
        place = self.place(model, form)
        if (found := self._found(place)) is not None:
            return found
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{place}.lock"):
                if (found := self._found(place)) is not None:
                    return found
                return self._made(place, model, convert)
        except OSError as exc:
            _log.warning("%s cannot be kept: the next start converts it again (%s)", place, exc.strerror or exc)
            return convert()

    def _made(self, place: Path, model: ModelFolder, convert: Callable[[], ConvertedModel]) -> ConvertedModel:
        _log.info("converting %s for this and later starts, into %s", model.name, place)
        made = convert()
        fresh = Path(tempfile.mkdtemp(dir=place.parent, prefix="new-"))
        try:
            made.save(fresh)
            _on_disk(fresh)
            if place.exists():
                shutil.rmtree(place)
            fresh.rename(place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return made

    def _found(self, place: Path) -> ConvertedModel | None:
        if not place.is_dir():
            return None
        try:
            return ConvertedModel.read(place)
        except ConvertedModelBroken as exc:
            _log.warning("a converted model is broken and is made again: %s", exc)
            return None


def _on_disk(folder: Path) -> None:
    """Wait until the files are: a name must never lead to what a crash would lose."""
    for place in [*folder.iterdir(), folder]:
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
