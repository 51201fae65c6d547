"""Device and precision of torch on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from safetensors import SafetensorError, safe_open

from rerank.core.errors import ModelInvalid
from rerank.core.setting_types import Precision
from rerank.models.folder import ModelFolder
from rerank.models.packed_weights import has_packed_weights, read_packed
from rerank.models.processors import has_bfloat16
from rerank.models.runtimes.bert_family import SAVE_ADVICE, WEIGHTS_FILE

_NAMES: Mapping[torch.dtype, Precision] = {
    torch.float32: "float32",
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
}


@dataclass(frozen=True)
class Placement:
    """A device and the precision of its arithmetic. Outputs are always float32."""

    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> Precision:
        """Name of the dtype."""
        return _NAMES[self.dtype]

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of an efficient batch."""
        # Measured on two cores: the throughput is the same from 1,000 to 4,000 tokens, and lower below.
        return 2048 if self.device.type == "cpu" else 65536


REFERENCE = Placement(torch.device("cpu"), torch.float32)
"""Placement that is the reference for accuracy."""


def best_placement() -> Placement:
    """Returns the GPU if available, else the CPU; in bfloat16 if supported, which is about twice as fast."""
    if torch.cuda.is_available():
        return Placement(torch.device("cuda"), torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    return Placement(torch.device("cpu"), torch.bfloat16 if has_bfloat16() else torch.float32)


def precisions() -> list[Precision]:
    """Returns the precisions of torch on this machine, float32 first."""
    best = best_placement().precision
    return ["float32"] if best == "float32" else ["float32", best]


def placement_for(precision: Precision) -> Placement:
    """Returns the placement for *precision*, one of `precisions()`."""
    best = best_placement()
    return best if best.precision == precision else Placement(best.device, torch.float32)


def read_weights(folder: ModelFolder) -> dict[str, torch.Tensor]:
    """Returns the tensors of the folder's weights. Raises ModelInvalid if the file is missing or broken."""
    if has_packed_weights(folder):
        return {name: torch.from_numpy(array) for name, array in read_packed(folder).items()}
    file = folder.weights / WEIGHTS_FILE
    if not file.exists():
        raise ModelInvalid(f"{folder.path}: {WEIGHTS_FILE} is missing. {SAVE_ADVICE}")
    try:
        with safe_open(str(file), framework="pt") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as exc:
        raise ModelInvalid(f"cannot read {file}: {exc}") from exc


def tensor(weights: Mapping[str, torch.Tensor], name: str, *, folder: ModelFolder) -> torch.Tensor:
    """Returns the tensor *name* in float32. Raises ModelInvalid, naming the tensor, if it is missing."""
    if name not in weights:
        raise ModelInvalid(f"{folder.weights / WEIGHTS_FILE}: the tensor {name} is missing")
    return weights[name].float()
