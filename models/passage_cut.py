"""The part of a long passage that matters for a query: its head, and the window with the most of the query's words.

What is kept depends on the query and the passage alone, so that a passage scores the same beside any others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rerank.models.tokenizer import Ids

_HEAD_SHARE = 6
"""One token of so many is the passage's head: a title stands there, and says what the rest is about."""


def cut(passage: Ids, query: Ids, *, tokens: int) -> Ids:
    """At most *tokens* tokens of *passage*, in their order; all of them where it has no more."""
    if len(passage) <= tokens:
        return passage
    head = tokens // _HEAD_SHARE
    width = tokens - head
    start = head + _best_start(passage[head:], query, width=width)
    return np.concatenate([passage[:head], passage[start : start + width]])


def _best_start(tokens: Ids, query: Ids, *, width: int) -> int:
    """Returns the start of the *width* tokens with the best coverage; of equal ones, the middle of the first run."""
    covered = _coverage(tokens, query, width=width)  # (starts,)
    best = np.flatnonzero(covered >= covered.max() - 1e-9)
    if covered.max() <= 0:
        return 0
    breaks = np.flatnonzero(np.diff(best) > 1)
    last = best[breaks[0]] if len(breaks) else best[-1]
    return int(best[0] + last) // 2


def _coverage(tokens: Ids, query: Ids, *, width: int) -> NDArray[np.float64]:
    """For each start of a window the weight of the different query tokens in it.

    A token weighs the more, the rarer it is in the passage: what stands everywhere tells no part from another.
    """
    starts = len(tokens) - width + 1
    steps = np.zeros(starts + 1)
    for token in np.unique(query).tolist():
        places = np.flatnonzero(tokens == token)
        if not len(places):
            continue
        weight = np.log1p(len(tokens) / len(places))
        # Each window counts a token once, at its first place inside: where the place before lies outside.
        before = np.concatenate([[-1], places[:-1]])
        first = np.maximum(before + 1, places - width + 1)
        last = np.minimum(places, starts - 1)
        inside = first <= last
        np.add.at(steps, first[inside], weight)
        np.add.at(steps, last[inside] + 1, -weight)
    return np.cumsum(steps[:-1])
