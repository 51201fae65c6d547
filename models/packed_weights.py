"""Packed weights: the tensors of an encoder in half a byte or one byte per weight.

A built-in encoder with a large vocabulary is stored in this form, because its file is a quarter of float16's or less.
The file has these tensors for a tensor NAME:

- NAME.blocks, NAME.scale: blocks of 32 weights with 4 bits each, and a float16 scale for each block. Lossless for
  weights that were stored in this form before.
- NAME.rows, NAME.scale: a signed byte for each weight, and a float32 scale for each row.
- NAME: the tensor itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rerank.core.errors import ModelInvalid
from rerank.models.folder import ModelFolder
from rerank.models.runtimes.bert_family import WEIGHTS_FILE

PACKED_FILE = "packed.safetensors"
BLOCK = 32
"""Number of weights that share a scale in `blocks`."""

Floats = NDArray[np.float32]
_BYTES = np.arange(256)
_LOW_STEPS = ((_BYTES & 15) - 8).astype(np.float32)
_HIGH_STEPS = ((_BYTES >> 4) - 8).astype(np.float32)


def has_packed_weights(folder: ModelFolder) -> bool:
    """Returns True if the weights of *folder* are packed."""
    return (folder.weights / PACKED_FILE).exists()


def read_packed(folder: ModelFolder) -> dict[str, Floats]:
    """Returns all tensors of a folder with packed weights. Raises ModelInvalid if the file is broken."""
    file = folder.weights / PACKED_FILE
    try:
        return unpacked(load_file(str(file)))
    except (SafetensorError, OSError, KeyError, ValueError) as exc:
        raise ModelInvalid(f"cannot read {file}: {exc}") from exc


def unpacked(stored: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Returns the tensors of a file with packed weights. Raises KeyError for a missing scale."""
    tensors: dict[str, Floats] = {}
    for name, array in stored.items():
        base, _, kind = name.rpartition(".")
        match kind:
            case "scale":
                pass
            case "blocks":
                tensors[base] = _from_blocks(array.astype(np.uint8), stored[f"{base}.scale"].astype(np.float32))
            case "rows":
                tensors[base] = array.astype(np.float32) * stored[f"{base}.scale"].astype(np.float32)[:, None]
            case _:
                tensors[name] = array.astype(np.float32)
    return tensors


@contextmanager
def transformers_folder(folder: ModelFolder) -> Iterator[Path]:
    """Yields a folder that transformers can load: that of the weights, or a temporary copy with unpacked weights."""
    if not has_packed_weights(folder):
        yield folder.weights
        return
    with tempfile.TemporaryDirectory(prefix="rerank-unpacked-") as temporary:
        target = Path(temporary)
        for entry in folder.weights.iterdir():
            if entry.name != PACKED_FILE:
                (target / entry.name).symlink_to(entry.resolve())
        tensors = {name: np.ascontiguousarray(array) for name, array in read_packed(folder).items()}
        save_file(tensors, str(target / WEIGHTS_FILE), metadata={"format": "pt"})
        yield target


def _from_blocks(packed: NDArray[np.uint8], scales: Floats) -> Floats:
    """Returns float32 (rows, columns) from uint8 (rows, columns / 2) and scales (rows, columns / 32).

    The low half of a byte holds a weight of the first half of its block, the high half one of the second.
    """
    halves = packed.reshape(-1, BLOCK // 2)
    weights = np.empty((len(halves), BLOCK), dtype=np.float32)
    # A table lookup needs a third of the time of arithmetic on bytes.
    np.take(_LOW_STEPS, halves, out=weights[:, : BLOCK // 2])
    np.take(_HIGH_STEPS, halves, out=weights[:, BLOCK // 2 :])
    weights *= scales.reshape(-1, 1)
    return weights.reshape(len(packed), -1)
