"""Which runtime computes a model: the one that the settings name, or the fastest that answers right here.

It is found out once for a model, a processor and the installed versions, on the sample's texts (models/runtimes/
trial.py says what is right), and remembered in the cache's folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from rerank.core.errors import SettingError
from rerank.core.settings import Precision, Runtime
from rerank.models.computing import Computing
from rerank.models.folder import ModelFolder
from rerank.models.processors import processors
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.family import in_family
from rerank.models.runtimes.trial import Trial, try_out

_FORMAT = 1
_GPU_DEVICES = ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")
_CPU_INFO = Path("/proc/cpuinfo")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Way:
    """A library and a precision."""

    runtime: Runtime
    precision: Precision


@dataclass(frozen=True)
class Choice:
    """What computes a model, and how the ways compared when it was chosen."""

    way: Way
    trials: tuple[Trial, ...] = ()


def choose(folder: ModelFolder, computing: Computing) -> Choice:
    """What computes the folder's model: as remembered, or found out now, which converts the model.

    Raises SettingError for a runtime or a precision that is not there, and ModelInvalid for a broken model.
    """
    ways = _ways(folder, computing)
    if len(ways) == 1:
        return Choice(ways[0])
    file = _file(folder, computing)
    return _read(file) or _found_out(folder, computing, ways=ways, file=file)


def runtime_for(folder: ModelFolder, computing: Computing) -> ModelRuntime:
    """The ModelRuntime that `choose` says."""
    return open_runtime(choose(folder, computing).way, computing)


def remembered_choice(folder: ModelFolder, computing: Computing) -> Choice | None:
    """As `choose`, but None where it would have to be found out."""
    ways = _ways(folder, computing)
    return Choice(ways[0]) if len(ways) == 1 else _read(_file(folder, computing))


def open_runtime(way: Way, computing: Computing) -> ModelRuntime:
    """The ModelRuntime of a way that `choose` gave."""
    if way.runtime == "openvino":
        from rerank.models.runtimes.openvino.runtime import opened

        return opened(way.precision, computing.cache)
    from rerank.models.runtimes.torch.placement import placement_for
    from rerank.models.runtimes.torch.runtime import TorchRuntime

    return TorchRuntime(placement_for(way.precision))


def _read(file: Path) -> Choice | None:
    """What `_remember` wrote; None where there is nothing that can be read."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return Choice(Way(**said["way"]), tuple(Trial(**trial) for trial in said["trials"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        _log.warning("%s cannot be read, and is found out again: %s", file, exc)
        return None


def _found_out(folder: ModelFolder, computing: Computing, *, ways: Sequence[Way], file: Path) -> Choice:
    _log.info("finding out what computes %s fastest here", folder.name)
    trials = try_out(folder, [open_runtime(way, computing) for way in ways])
    best = max((trial for trial in trials if trial.right), key=lambda trial: trial.texts_a_second)
    choice = Choice(Way(best.runtime, best.precision), tuple(trials))
    _remember(choice, file)
    return choice


def _remember(choice: Choice, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as stream:
            json.dump(asdict(choice), stream, indent=2)
        Path(stream.name).replace(file)
    except OSError as exc:
        _log.warning("%s cannot be written: the next start finds out again (%s)", file, exc.strerror or exc)


def _ways(folder: ModelFolder, computing: Computing) -> list[Way]:
    """Every way that the settings leave open and that there is here, the reference first."""
    ours = _openvino_ways(folder)
    # On processors torch was slower in every precision, and importing it takes seconds: it is tried where it is asked
    # for, where nothing else can, and where there is a GPU.
    torch = _torch_ways() if computing.runtime == "torch" or not ours or _has_gpu() else []
    there = [way for way in (*ours, *torch) if _allowed(way, computing)]
    if there:
        return there
    if computing.runtime != "torch" and not in_family(folder) and not _installed("torch"):
        raise SettingError(
            f"{folder.path}: a model of this kind is computed by torch, which is not installed:"
            " install the project with its extra, rerank-service[train]"
        )
    if computing.runtime == "torch" and not _installed("torch"):
        raise SettingError(
            "runtime: torch is not installed; install rerank-service[train], or set runtime to auto or openvino"
        )
    raise SettingError(
        f"runtime {computing.runtime} with precision {computing.precision}: not for {folder.name} on this machine;"
        " set one of them to auto"
    )


def _allowed(way: Way, computing: Computing) -> bool:
    return computing.runtime in ("auto", way.runtime) and computing.precision in ("auto", way.precision)


def _openvino_ways(folder: ModelFolder) -> list[Way]:
    if not in_family(folder) or not _installed("openvino"):
        return []
    return [Way("openvino", precision) for precision in ("float32", "bfloat16", "int8")]


def _torch_ways() -> list[Way]:
    if not _installed("torch"):
        return []
    from rerank.models.runtimes.torch.placement import precisions

    return [Way("torch", precision) for precision in precisions()]


def _has_gpu() -> bool:
    return any(Path(device).exists() for device in _GPU_DEVICES)


def _installed(library: str) -> bool:
    return find_spec(library) is not None


def _file(folder: ModelFolder, computing: Computing) -> Path:
    """One file for everything that the answer depends on."""
    libraries = [f"{name} {version(name)}" for name in ("openvino", "torch") if _installed(name)]
    key = [_FORMAT, folder.fingerprint, computing.runtime, computing.precision, _processor(), processors(), *libraries]
    name = hashlib.blake2b(json.dumps(key).encode(), digest_size=16).hexdigest()
    return computing.cache / "choices" / f"{name}.json"


@cache
def _processor() -> str:
    """The processor's name and what it can do."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags", "Features"))))
