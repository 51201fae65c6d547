"""Removal of duplicate texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def unique_texts(texts: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """Returns the unique texts in order of first appearance, and the position (n,) of each of *texts* among them."""
    positions: dict[str, int] = {}
    inverse = [positions.setdefault(text, len(positions)) for text in texts]
    return list(positions), np.array(inverse, dtype=np.intp)
