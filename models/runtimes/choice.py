"""Choice of the backend of a model: the configured backend, or the fastest accurate backend on this machine.

The backends are measured on sample texts (models/runtimes/trial.py), once per model, processor and installed versions.
The cache folder stores the choice.
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
from rerank.core.setting_types import Precision, Runtime
from rerank.models.compute_options import ComputeOptions
from rerank.models.folder import ModelFolder
from rerank.models.processors import has_bfloat16, processors
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.bert_family import is_bert_family
from rerank.models.runtimes.trial import Trial, run_trials

_FORMAT = 2
_GPU_DEVICES = ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")
_CPU_INFO = Path("/proc/cpuinfo")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backend:
    """A runtime and a precision."""

    runtime: Runtime
    precision: Precision


@dataclass(frozen=True)
class Choice:
    """The chosen backend, and the measurements of all backends."""

    backend: Backend
    trials: tuple[Trial, ...] = ()


def choose(folder: ModelFolder, compute: ComputeOptions) -> Choice:
    """Returns the stored choice for the folder's model, or measures the backends, which converts the model.

    Raises SettingError for an unavailable runtime or precision, and ModelInvalid for a broken model.
    """
    backends = _backends(folder, compute)
    if len(backends) == 1:
        return Choice(backends[0])
    file = _file(folder, compute)
    return _read(file) or _measure(folder, compute, backends=backends, file=file)


def runtime_for(folder: ModelFolder, compute: ComputeOptions) -> ModelRuntime:
    """Returns the ModelRuntime that `choose` selects."""
    return open_runtime(choose(folder, compute).backend, compute)


def cached_choice(folder: ModelFolder, compute: ComputeOptions) -> Choice | None:
    """Returns the choice of `choose`, or None if a measurement is required."""
    backends = _backends(folder, compute)
    return Choice(backends[0]) if len(backends) == 1 else _read(_file(folder, compute))


def open_runtime(backend: Backend, compute: ComputeOptions) -> ModelRuntime:
    """Returns the ModelRuntime of *backend*."""
    if backend.runtime == "openvino":
        from rerank.models.runtimes.openvino.runtime import openvino_runtime

        return openvino_runtime(backend.precision, compute.cache)
    from rerank.models.runtimes.torch.placement import placement_for
    from rerank.models.runtimes.torch.runtime import TorchRuntime

    return TorchRuntime(placement_for(backend.precision))


def _read(file: Path) -> Choice | None:
    """Returns the stored choice, or None without a readable file."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return Choice(Backend(**stored["backend"]), tuple(Trial(**trial) for trial in stored["trials"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        _log.warning("cannot read %s, measuring again: %s", file, exc)
        return None


def _measure(folder: ModelFolder, compute: ComputeOptions, *, backends: Sequence[Backend], file: Path) -> Choice:
    _log.info("measuring the fastest backend of %s", folder.name)
    trials = run_trials(folder, [open_runtime(backend, compute) for backend in backends])
    best = max((trial for trial in trials if trial.right), key=lambda trial: trial.texts_a_second)
    choice = Choice(Backend(best.runtime, best.precision), tuple(trials))
    _save(choice, file)
    return choice


def _save(choice: Choice, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as stream:
            json.dump(asdict(choice), stream, indent=2)
        Path(stream.name).replace(file)
    except OSError as exc:
        _log.warning("cannot write %s, the next start will measure again: %s", file, exc.strerror or exc)


def _backends(folder: ModelFolder, compute: ComputeOptions) -> list[Backend]:
    """Returns the available backends that the settings allow; the reference is first."""
    openvino = _openvino_backends(folder, compute)
    # Torch was slower on CPUs in every precision, and its import takes seconds. So torch is measured only if it is
    # configured, if OpenVINO cannot run the model, or on a machine with a GPU.
    torch = _torch_backends() if compute.runtime == "torch" or not openvino or _has_gpu() else []
    allowed = [backend for backend in (*openvino, *torch) if _allowed(backend, compute)]
    if allowed:
        return allowed
    if compute.runtime != "torch" and not is_bert_family(folder) and not _installed("torch"):
        raise SettingError(
            f"{folder.path}: this kind of model requires torch, which is not installed. Install rerank-service[train]"
        )
    if compute.runtime == "torch" and not _installed("torch"):
        raise SettingError(
            "runtime: torch is not installed. Install rerank-service[train], or set runtime to auto or openvino"
        )
    raise SettingError(
        f"runtime {compute.runtime} with precision {compute.precision} is not available for {folder.name} on this"
        " machine. Set runtime or precision to auto"
    )


def _allowed(backend: Backend, compute: ComputeOptions) -> bool:
    return compute.runtime in ("auto", backend.runtime) and compute.precision in ("auto", backend.precision)


def _openvino_backends(folder: ModelFolder, compute: ComputeOptions) -> list[Backend]:
    if not is_bert_family(folder) or not _installed("openvino"):
        return []
    # Without the instructions, bfloat16 computes in float32, and its measurement takes a third of the time.
    precisions: list[Precision] = ["float32", "int8"]
    if has_bfloat16() or compute.precision == "bfloat16":
        precisions.insert(1, "bfloat16")
    return [Backend("openvino", precision) for precision in precisions]


def _torch_backends() -> list[Backend]:
    if not _installed("torch"):
        return []
    from rerank.models.runtimes.torch.placement import precisions

    return [Backend("torch", precision) for precision in precisions()]


def _has_gpu() -> bool:
    return any(Path(device).exists() for device in _GPU_DEVICES)


def _installed(library: str) -> bool:
    return find_spec(library) is not None


def _file(folder: ModelFolder, compute: ComputeOptions) -> Path:
    """Returns the file of the choice. Its name depends on everything that can change the measurement."""
    libraries = [f"{name} {version(name)}" for name in ("openvino", "torch") if _installed(name)]
    key = [_FORMAT, folder.fingerprint, compute.runtime, compute.precision, _processor(), processors(), *libraries]
    name = hashlib.blake2b(json.dumps(key).encode(), digest_size=16).hexdigest()
    return compute.cache / "choices" / f"{name}.json"


@cache
def _processor() -> str:
    """Returns the name and the features of the processor."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags", "Features"))))
