"""Cache of converted models in a folder, by fingerprint. A broken entry is converted again."""

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
from rerank.models.runtimes.openvino.quantization import LARGEST, largest_weight

Form = Literal["float", "int8"]
"""Stored form of a model: floating point, for float32 and bfloat16, or 8-bit integers."""

_FORMAT = 2
"""Version of the conversion: increase it whenever the result changes."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvertedModels:
    """Process-safe cache of converted models under *folder*: one process converts, the others wait."""

    folder: Path

    def path(self, model: ModelFolder, form: Form) -> Path:
        """Returns the path for *model* in *form*. The folder may not exist."""
        bits = "" if form == "float" or largest_weight() == LARGEST else "-7bit"
        return self.folder.expanduser() / "converted" / f"{model.fingerprint}-{form}{bits}-{_FORMAT}"

    def contains(self, model: ModelFolder, form: Form) -> bool:
        """Returns True if the cache has a complete *model* in *form*."""
        return self._read(self.path(model, form)) is not None

    def get(self, model: ModelFolder, form: Form, convert: Callable[[], ConvertedModel]) -> ConvertedModel:
        """Returns *model* in *form*; converts it if the cache does not have it.

        If the folder is not writable, a warning is logged and the next start converts again.
        """
        path = self.path(model, form)
        if (cached := self._read(path)) is not None:
            return cached
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if (cached := self._read(path)) is not None:
                    return cached
                return self._convert(path, model, convert)
        except OSError as exc:
            _log.warning("cannot write %s, the next start will convert again: %s", path, exc.strerror or exc)
            return convert()

    def _convert(self, path: Path, model: ModelFolder, convert: Callable[[], ConvertedModel]) -> ConvertedModel:
        _log.info("converting %s into %s", model.name, path)
        converted = convert()
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix="new-"))
        try:
            converted.save(temporary)
            _flush(temporary)
            if path.exists():
                shutil.rmtree(path)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return converted

    def _read(self, path: Path) -> ConvertedModel | None:
        if not path.is_dir():
            return None
        try:
            return ConvertedModel.read(path)
        except ConvertedModelBroken as exc:
            _log.warning("converting again, the cached model is broken: %s", exc)
            return None


def _flush(folder: Path) -> None:
    """Flushes the files to disk, so that a crash cannot leave a file without its content."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
