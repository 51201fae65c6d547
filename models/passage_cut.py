"""Cut of a long passage to its head and the window with most of the query's words.

The cut depends on the query and the passage only, so that a passage has the same score among any other passages.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rerank.models.tokenizer import Ids

_HEAD_DIVISOR = 6
"""The head has 1/6 of the tokens, because a passage often starts with the title, which names its subject."""


def cut(passage: Ids, query: Ids, *, tokens: int) -> Ids:
    """Returns at most *tokens* tokens of *passage*, in order; all tokens of a shorter passage."""
    if len(passage) <= tokens:
        return passage
    head = tokens // _HEAD_DIVISOR
    width = tokens - head
    start = head + _best_start(passage[head:], query, width=width)
    return np.concatenate([passage[:head], passage[start : start + width]])


def _best_start(tokens: Ids, query: Ids, *, width: int) -> int:
    """Returns the start of the window of *width* tokens with the best coverage.

    If several windows have it, returns the middle of the first run of consecutive starts.
    """
    coverage = _coverage(tokens, query, width=width)  # (starts,)
    best = np.flatnonzero(coverage >= coverage.max() - 1e-9)
    if coverage.max() <= 0:
        return 0
    breaks = np.flatnonzero(np.diff(best) > 1)
    last = best[breaks[0]] if len(breaks) else best[-1]
    return int(best[0] + last) // 2


def _coverage(tokens: Ids, query: Ids, *, width: int) -> NDArray[np.float64]:
    """Returns float64 (starts,): the total weight of the distinct query tokens in the window from each start.

    Rare tokens of the passage weigh more, because frequent tokens do not distinguish its windows.
    """
    starts = len(tokens) - width + 1
    steps = np.zeros(starts + 1)
    for token in np.unique(query).tolist():
        positions = np.flatnonzero(tokens == token)
        if not len(positions):
            continue
        weight = np.log1p(len(tokens) / len(positions))
        # A window counts a token once, at its first occurrence inside: the previous occurrence is outside.
        previous = np.concatenate([[-1], positions[:-1]])
        first = np.maximum(previous + 1, positions - width + 1)
        last = np.minimum(positions, starts - 1)
        counted = first <= last
        np.add.at(steps, first[counted], weight)
        np.add.at(steps, last[counted] + 1, -weight)
    return np.cumsum(steps[:-1])
