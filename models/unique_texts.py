"""Identical texts are read once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def unique_texts(texts: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """The different texts in order of first appearance, and for each of *texts* (n,) which of them it is."""
    places: dict[str, int] = {}
    inverse = [places.setdefault(text, len(places)) for text in texts]
    return list(places), np.array(inverse, dtype=np.intp)
