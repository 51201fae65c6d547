"""Array that is computed in parts and stored next to the checkpoints. A resumed run computes the missing parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import TrainingFailed
from rerank.models.training.distributed import main_process_first

ComputeFrom = Callable[[int], Iterator[NDArray[Any]]]
"""Function from the number of stored rows to the remaining rows, several at a time."""


def load_or_compute_array(
    file: Path, shape: tuple[int, ...], dtype: type[np.floating[Any]], compute_from: ComputeFrom
) -> NDArray[Any]:
    """Returns the array of *shape* and *dtype* in *file*, after computing and appending its missing rows.

    Raises TrainingFailed if the file cannot be written or read.
    """
    row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
    try:
        with main_process_first():
            stored = min(file.stat().st_size // row_bytes, shape[0]) if file.exists() else 0
            if stored < shape[0]:
                with file.open("ab") as stream:
                    # A kill can leave a part of a row.
                    stream.truncate(stored * row_bytes)
                    for values in compute_from(stored):
                        stream.write(values.astype(dtype).tobytes())
                        stream.flush()
            return np.fromfile(file, dtype=dtype).reshape(shape) if shape[0] else np.zeros(shape, dtype=dtype)
    except (OSError, ValueError) as exc:
        raise TrainingFailed(f"{file}: cannot write or read the teacher's output: {exc}.") from exc
