"""What took long to compute, kept beside the checkpoints row by row: a run that goes on does not wait for it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import TrainingFailed
from rerank.models.training.distributed import main_process_first

Parts = Callable[[int], Iterator[NDArray[Any]]]
"""From a number of rows that are there already to the others, some at a time."""


def load_or_compute_array(
    file: Path, shape: tuple[int, ...], dtype: type[np.floating[Any]], parts: Parts
) -> NDArray[Any]:
    """The array of *shape* and *dtype* in *file*, of which what is missing is made of *parts* and written as it comes.

    Raises TrainingFailed where the file cannot be written or read.
    """
    row = int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
    try:
        with main_process_first():
            done = min(file.stat().st_size // row, shape[0]) if file.exists() else 0
            if done < shape[0]:
                with file.open("ab") as stream:
                    # A kill may have cut the last row.
                    stream.truncate(done * row)
                    for values in parts(done):
                        stream.write(values.astype(dtype).tobytes())
                        stream.flush()
            return np.fromfile(file, dtype=dtype).reshape(shape) if shape[0] else np.zeros(shape, dtype=dtype)
    except (OSError, ValueError) as exc:
        raise TrainingFailed(f"{file}: what the teacher said could not be kept or read: {exc}") from exc
