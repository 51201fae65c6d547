"""Compact storage of an encoder's matrices: 4 bits a weight where that loses nothing, else a byte a weight.

    python -m recipes.encoder.packed pack FOLDER OUTPUT [--part-megabytes 15]
    python -m recipes.encoder.packed unpack FOLDER OUTPUT

*blocks*: 32 weights with 4 bits each and one float16 scale, as multilingual-e5-small comes. A table that training holds
stays in this form. *rows*: a byte a weight and one float32 scale a row. Vectors and small tables stay float32. The
weights are cut into files of at most --part-megabytes.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

Arrays = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float32]
_BLOCK = 32
_WEIGHTS = "model.safetensors"
_SMALL_TABLES = ("embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight")


def as_blocks(matrix: Floats) -> Arrays | None:
    """Returns 4-bit numbers and float16 scales of *matrix*, or None where they do not give it back exactly."""
    if matrix.shape[1] % _BLOCK:
        return None
    blocks = matrix.reshape(-1, _BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)
    # The weight furthest from 0 is -8 steps.
    scale = (largest / -8).astype(np.float16)
    steps = scale.astype(np.float32)
    numbers = np.rint(np.divide(blocks, steps, out=np.zeros_like(blocks), where=steps != 0)).astype(np.int8)
    if numbers.min() < -8 or numbers.max() > 7 or not np.array_equal(numbers * steps, blocks):
        return None
    shifted = (numbers + 8).astype(np.uint8)
    packed = shifted[:, : _BLOCK // 2] | (shifted[:, _BLOCK // 2 :] << 4)
    return {"blocks": packed.reshape(len(matrix), -1), "scale": scale.reshape(len(matrix), -1)}


def from_blocks(packed: NDArray[np.uint8], scale: NDArray[np.float16]) -> Floats:
    """Returns the matrix that `as_blocks` packed."""
    halves = packed.reshape(-1, _BLOCK // 2)
    numbers = np.concatenate([(halves & 15).astype(np.int8) - 8, (halves >> 4).astype(np.int8) - 8], axis=1)
    return np.asarray((numbers * scale.reshape(-1, 1).astype(np.float32)).reshape(len(packed), -1), dtype=np.float32)


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


def unpacked(stored: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Returns the weights that `packed` stored."""
    found: dict[str, Floats] = {}
    for name, array in stored.items():
        base, _, kind = name.rpartition(".")
        match kind:
            case "scale":
                pass
            case "blocks":
                found[base] = from_blocks(array.astype(np.uint8), stored[f"{base}.scale"].astype(np.float16))
            case "rows":
                found[base] = array.astype(np.float32) * stored[f"{base}.scale"].astype(np.float32)[:, None]
            case _:
                found[name] = array.astype(np.float32)
    return found


def parts(stored: Arrays, *, size: int) -> list[Arrays]:
    """Cuts *stored* into parts of at most *size* bytes. A larger array is cut by rows."""
    cut: Arrays = {}
    for name, array in stored.items():
        pieces = np.array_split(array, -(-array.nbytes // size)) if array.nbytes > size else [array]
        cut |= {f"{name}:{number}": piece for number, piece in enumerate(pieces)}
    found: list[Arrays] = [{}]
    for name, array in cut.items():
        if found[-1] and sum(own.nbytes for own in found[-1].values()) + array.nbytes > size:
            found.append({})
        found[-1][name] = array
    return found


def joined(folder: Path) -> Arrays:
    """Reads the parts of a packed folder."""
    pieces: dict[str, dict[int, NDArray[np.generic]]] = {}
    for path in sorted(folder.glob("packed-*.safetensors")):
        for name, array in load_file(str(path)).items():
            base, _, number = name.rpartition(":")
            pieces.setdefault(base, {})[int(number)] = array
    return {name: np.concatenate([own[number] for number in sorted(own)]) for name, own in pieces.items()}


def pack(folder: Path, output: Path, *, part_bytes: int) -> None:
    """Writes *folder* with packed weights to *output*."""
    shutil.copytree(folder, output, ignore=shutil.ignore_patterns(_WEIGHTS), dirs_exist_ok=True)
    for number, part in enumerate(parts(packed(load_file(str(folder / _WEIGHTS))), size=part_bytes)):
        contiguous = {name: np.ascontiguousarray(array) for name, array in part.items()}
        save_file(contiguous, str(output / f"packed-{number:02}.safetensors"))


def unpack(folder: Path, output: Path) -> None:
    """Writes the encoder folder that was packed."""
    shutil.copytree(folder, output, ignore=shutil.ignore_patterns("packed-*"), dirs_exist_ok=True)
    weights = {name: np.ascontiguousarray(array) for name, array in unpacked(joined(folder)).items()}
    save_file(weights, str(output / _WEIGHTS), metadata={"format": "pt"})


def main() -> None:
    """Packs or unpacks a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("pack", "unpack"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--part-megabytes", type=float, default=15.0)
    args = parser.parse_args()
    if args.action == "pack":
        pack(args.folder, args.output, part_bytes=int(args.part_megabytes * 1_000_000))
    else:
        unpack(args.folder, args.output)


if __name__ == "__main__":
    main()
