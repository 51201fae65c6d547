"""Where torch runs a model on this machine, and in which precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from rerank.core.errors import ModelInvalid
from rerank.core.settings import Precision
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.bert_family import SAVE_ADVICE, WEIGHTS_FILE

_NAMES: Mapping[torch.dtype, Precision] = {
    torch.float32: "float32",
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
}
_CPU_INFO = Path("/proc/cpuinfo")
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


@dataclass(frozen=True)
class Placement:
    """A device and the precision of its arithmetic. Answers are float32 whatever it is."""

    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> Precision:
        """The dtype's name."""
        return _NAMES[self.dtype]

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of a batch that is filled well."""
        # Measured on two cores: 1,000 to 4,000 tokens run at the same rate, below that the rate falls.
        return 2048 if self.device.type == "cpu" else 65536


REFERENCE = Placement(torch.device("cpu"), torch.float32)
"""What answers are compared with."""


def best_placement() -> Placement:
    """The GPU where there is one; else the processor, in bfloat16 where it multiplies in it (about twice as fast)."""
    if torch.cuda.is_available():
        return Placement(torch.device("cuda"), torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    return Placement(torch.device("cpu"), torch.bfloat16 if _multiplies_in_bf16(_CPU_INFO) else torch.float32)


def precisions() -> list[Precision]:
    """What torch computes in here, the exact one first."""
    best = best_placement().precision
    return ["float32"] if best == "float32" else ["float32", best]


def placement_for(precision: Precision) -> Placement:
    """Where torch computes in *precision*, one of `precisions()`."""
    best = best_placement()
    return best if best.precision == precision else Placement(best.device, torch.float32)


def read_weights(folder: ModelFolder) -> dict[str, torch.Tensor]:
    """Every tensor of model.safetensors, as stored. Raises ModelInvalid when there is none or it is broken."""
    file = folder.weights / WEIGHTS_FILE
    if not file.exists():
        raise ModelInvalid(f"{folder.path}: there is no {WEIGHTS_FILE}; {SAVE_ADVICE}")
    try:
        with safe_open(str(file), framework="pt") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as exc:
        raise ModelInvalid(f"{file}: cannot be read: {exc}") from exc


def tensor(weights: Mapping[str, torch.Tensor], name: str, *, folder: ModelFolder) -> torch.Tensor:
    """The tensor *name* in float32. Raises ModelInvalid, naming it, when it is missing."""
    if name not in weights:
        raise ModelInvalid(f"{folder.weights / WEIGHTS_FILE}: the tensor {name} is missing")
    return weights[name].float()


def _multiplies_in_bf16(cpu_info: Path) -> bool:
    """Torch runs bfloat16 on every processor, but faster than float32 only where there are instructions for it."""
    try:
        lines = cpu_info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _BF16_FLAGS.isdisjoint(flags.split())
