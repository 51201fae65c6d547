"""Texts without content, which rank last: a cross-encoder gives them arbitrary scores, often high ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

TokenSpans = Callable[[Sequence[str]], Sequence[NDArray[np.int32]]]
"""Function that returns the character range of each token per text, such as Reranker.token_spans."""


def blank_texts(texts: Sequence[str], token_spans: TokenSpans) -> NDArray[np.bool_]:
    """Returns a mask, bool (n,), of the *texts* that are empty, whitespace, or have no tokens.

    Only texts without a letter or a digit are tokenized.
    """
    blank = np.array([not text.strip() for text in texts], dtype=np.bool_)
    doubtful = [
        i for i, text in enumerate(texts) if not blank[i] and not any(character.isalnum() for character in text)
    ]
    for i, spans in zip(doubtful, token_spans([texts[i] for i in doubtful]) if doubtful else [], strict=True):
        blank[i] = len(spans) == 0
    return blank
