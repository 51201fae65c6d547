"""Token spans of long texts, with bounded memory: a tokenizer needs several hundred bytes for each token of a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.protocols import Encoder, Reranker

CALL_CHARS = 50_000
"""Maximum number of characters in one call of the tokenizer. A longer text is cut between words."""

Spans = NDArray[np.int32]
"""int32 (tokens, 2): the character range of each token."""


@dataclass(frozen=True, slots=True)
class _Slice:
    """Characters start to end of the text at *position*."""

    position: int
    start: int
    end: int


def token_spans(model: Encoder | Reranker, texts: Sequence[str], *, max_tokens: int) -> list[Spans]:
    """Returns the token spans of each of *texts*, without special tokens.

    The rest of a text with more than *max_tokens* tokens is left out, after a call that exceeds the limit.
    """
    parts: list[list[Spans]] = [[np.zeros((0, 2), dtype=np.int32)] for _ in texts]
    counts = [0] * len(texts)
    for call in _calls(texts):
        slices = [part for part in call if counts[part.position] <= max_tokens]
        spans = model.token_spans([texts[part.position][part.start : part.end] for part in slices]) if slices else []
        for part, found in zip(slices, spans, strict=True):
            parts[part.position].append(found + np.int32(part.start))
            counts[part.position] += len(found)
    return [np.concatenate(found) for found in parts]


def _calls(texts: Sequence[str]) -> Iterator[list[_Slice]]:
    """Yields the slices of *texts* in order, in groups of at most CALL_CHARS characters."""
    group: list[_Slice] = []
    characters = 0
    for position, text in enumerate(texts):
        for start, end in _cuts(text):
            if group and characters + end - start > CALL_CHARS:
                yield group
                group, characters = [], 0
            group.append(_Slice(position, start, end))
            characters += end - start
    if group:
        yield group


def _cuts(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > CALL_CHARS:
        limit = start + CALL_CHARS
        # A token of a word that is cut could differ, so a text is only cut in a word if it has no spaces.
        space = max(text.rfind(" ", start + 1, limit), text.rfind("\n", start + 1, limit))
        end = space if space > start else limit
        yield start, end
        start = end
    yield start, len(text)
