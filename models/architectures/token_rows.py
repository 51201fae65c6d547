"""Padded batches of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.models.tokenizer import Ids


@dataclass(frozen=True)
class TokenRows:
    """Batch of n sequences.

    ids: int32 (n, longest), padded on the right; lengths: int32 (n,), tokens of each row.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, texts: Sequence[Ids], *, pad_id: int) -> Self:
        """Returns one row per text. At least one text is required, each with at least one token."""
        lengths = np.array([len(text) for text in texts], dtype=np.int32)
        ids = np.full((len(texts), int(lengths.max())), pad_id, dtype=np.int32)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        return cls(ids, lengths)

    @property
    def longest(self) -> int:
        """Number of tokens of the longest row."""
        return int(self.ids.shape[1])

    def types(self, first_lengths: Sequence[int], *, second_type: int) -> NDArray[np.int32]:
        """Returns token types int32 (n, longest): 0 for the first *first_lengths* (n,) tokens, then *second_type*."""
        second = np.arange(self.longest) >= np.array(first_lengths)[:, None]
        return second.astype(np.int32) * np.int32(second_type)
