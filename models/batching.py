"""How texts become batches: identical ones once, of like length together, as many as fit a number of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def distinct(texts: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """The different texts in order of first appearance, and for each of *texts* (n,) which of them it is."""
    places: dict[str, int] = {}
    inverse = [places.setdefault(text, len(places)) for text in texts]
    return list(places), np.array(inverse, dtype=np.intp)


def batches(lengths: NDArray[np.int32], *, budget: int) -> list[NDArray[np.intp]]:
    """Positions in *lengths* (n,), each once: batches of falling length, count times longest at most *budget*.

    A text longer than the budget is a batch of its own. Equal lengths keep their order.
    """
    # Longest first: padding is what a batch's longest text makes of the others, and the largest tensors come first,
    # so that their memory is used again.
    order = np.argsort(-lengths, kind="stable")
    found = []
    start = 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        stop = start + max(budget // longest, 1)
        found.append(order[start:stop])
        start = stop
    return found
