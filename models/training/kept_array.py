"""What took long to compute, kept beside the checkpoints: a run that goes on does not wait for it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import TrainingFailed
from models.training.ranks import first_goes_first


def kept_array(file: Path, shape: tuple[int, ...], parts: Callable[[], Iterator[NDArray[Any]]]) -> NDArray[Any]:
    """The array of *shape* in *file*; else *parts*, one after the other along the first axis, written there.

    Raises TrainingFailed where the file cannot be written or read.
    """
    try:
        with first_goes_first():
            if file.exists():
                kept: NDArray[Any] = np.load(file)
                if kept.shape == shape:
                    return kept
            made = np.concatenate([np.zeros((0, *shape[1:]), dtype=np.float16), *parts()])
            unfinished = file.with_suffix(".part.npy")
            np.save(unfinished, made)
            unfinished.replace(file)
            return made
    except (OSError, ValueError) as exc:
        raise TrainingFailed(f"{file}: what the teacher said could not be kept or read: {exc}") from exc
