"""Stored tensors of a model as numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from rerank.core.errors import ModelInvalid
from rerank.models.folder import ModelFolder
from rerank.models.packed_weights import has_packed_weights, read_packed
from rerank.models.runtimes.bert_family import SAVE_ADVICE, WEIGHTS_FILE

Array = NDArray[np.float32]
_BF16 = "BF16"
_DTYPES: Mapping[str, np.dtype[Any]] = {
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
}


def read_tensors(folder: ModelFolder) -> dict[str, Array]:
    """Returns the floating-point tensors of the folder's weights in float32.

    Raises ModelInvalid if the file is missing or broken.
    """
    if has_packed_weights(folder):
        return read_packed(folder)
    file = folder.weights / WEIGHTS_FILE
    if not file.exists():
        raise ModelInvalid(f"{folder.path}: {WEIGHTS_FILE} is missing. {SAVE_ADVICE}")
    try:
        stored: list[tuple[str, Mapping[str, Any]]] = deserialize(file.read_bytes())  # type: ignore[no-untyped-call]
        return {name: _array(info) for name, info in stored if info["dtype"] in {*_DTYPES, _BF16}}
    except (SafetensorError, OSError, ValueError) as exc:
        raise ModelInvalid(f"cannot read {file}: {exc}") from exc


class Tensors:
    """Tensors of one folder by name. The error for a missing tensor names the file."""

    def __init__(self, tensors: Mapping[str, Array], *, folder: ModelFolder) -> None:
        self._tensors = tensors
        self._file = folder.weights / WEIGHTS_FILE

    def __getitem__(self, name: str) -> Array:
        """Returns the tensor *name*. Raises ModelInvalid, naming the tensor, if it is missing."""
        if name not in self._tensors:
            raise ModelInvalid(f"{self._file}: the tensor {name} is missing")
        return self._tensors[name]


def _array(info: Mapping[str, Any]) -> Array:
    data = info["data"]
    array: Array
    if info["dtype"] == _BF16:
        # A bfloat16 is the upper half of a float32.
        array = (np.frombuffer(data, dtype=np.uint16).astype(np.uint32) << 16).view(np.float32)
    else:
        array = np.frombuffer(data, dtype=_DTYPES[info["dtype"]]).astype(np.float32)
    return array.reshape(info["shape"])
