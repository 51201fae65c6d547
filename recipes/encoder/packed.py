"""Compact storage of an encoder's matrices: 4 bits a weight where that loses nothing, else a byte a weight.

    python -m recipes.encoder.packed pack FOLDER OUTPUT
    python -m recipes.encoder.packed unpack FOLDER OUTPUT

rerank.models.packed_weights describes the form. A table that training holds stays in 4 bits, in which
multilingual-e5-small comes. Vectors and small tables stay float32.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from rerank.models.folder import ModelFolder
from rerank.models.packed_weights import BLOCK, PACKED_FILE, read_packed
from rerank.models.runtimes.bert_family import WEIGHTS_FILE

Arrays = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float32]
_SMALL_TABLES = ("embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight")


def as_blocks(matrix: Floats) -> Arrays | None:
    """Returns 4-bit numbers and float16 scales of *matrix*, or None where they do not give it back exactly."""
    if matrix.shape[1] % BLOCK:
        return None
    blocks = matrix.reshape(-1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)
    # The weight furthest from 0 is -8 steps.
    scale = (largest / -8).astype(np.float16)
    steps = scale.astype(np.float32)
    numbers = np.rint(np.divide(blocks, steps, out=np.zeros_like(blocks), where=steps != 0)).astype(np.int8)
    if numbers.min() < -8 or numbers.max() > 7 or not np.array_equal(numbers * steps, blocks):
        return None
    shifted = (numbers + 8).astype(np.uint8)
    packed = shifted[:, : BLOCK // 2] | (shifted[:, BLOCK // 2 :] << 4)
    return {"blocks": packed.reshape(len(matrix), -1), "scale": scale.reshape(len(matrix), -1)}


def as_rows(matrix: Floats) -> Arrays:
    """Returns a byte a weight and a scale a row."""
    scale = np.maximum(np.abs(matrix).max(axis=1), 1e-12).astype(np.float32) / 127
    return {"rows": np.rint(matrix / scale[:, None]).astype(np.int8), "scale": scale}


def packed(weights: Mapping[str, Floats]) -> Arrays:
    """Returns the stored form of *weights*."""
    found: Arrays = {}
    for name, tensor in weights.items():
        if tensor.ndim == 1 or name in _SMALL_TABLES:
            found[name] = tensor
            continue
        for kind, array in (as_blocks(tensor) or as_rows(tensor)).items():
            found[f"{name}.{kind}"] = array
    return found


def pack(folder: Path, output: Path) -> None:
    """Writes *folder* with packed weights to *output*."""
    shutil.copytree(folder, output, ignore=shutil.ignore_patterns(WEIGHTS_FILE), dirs_exist_ok=True)
    stored = {
        name: np.ascontiguousarray(array) for name, array in packed(load_file(str(folder / WEIGHTS_FILE))).items()
    }
    save_file(stored, str(output / PACKED_FILE))


def unpack(folder: Path, output: Path) -> None:
    """Writes the encoder folder that was packed."""
    shutil.copytree(folder, output, ignore=shutil.ignore_patterns(PACKED_FILE), dirs_exist_ok=True)
    weights = {name: np.ascontiguousarray(array) for name, array in read_packed(ModelFolder.read(folder)).items()}
    save_file(weights, str(output / WEIGHTS_FILE), metadata={"format": "pt"})


def main() -> None:
    """Packs or unpacks a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("pack", "unpack"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    if args.action == "pack":
        pack(args.folder, args.output)
    else:
        unpack(args.folder, args.output)


if __name__ == "__main__":
    main()
