"""Texts as rows of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rerank.models.training.data.list_batches import Ids, pad_token_ids

Side = Literal["query", "document"]
_READ_AT_ONCE = 20_000


class TextBatches:
    """Texts read into tokens once, special tokens included."""

    def __init__(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int) -> None:
        self._padding = int(tokenizer.pad_token_id or 0)
        self._ids: list[Ids] = []
        for start in range(0, len(texts), _READ_AT_ONCE):
            part = list(texts[start : start + _READ_AT_ONCE])
            read = tokenizer(part, truncation=True, max_length=max_tokens, return_attention_mask=False)
            self._ids.extend(np.asarray(ids, dtype=np.int32) for ids in read["input_ids"])
        self.lengths = [len(ids) for ids in self._ids]

    def __len__(self) -> int:
        return len(self._ids)

    def batch(self, places: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Ids and mask of the texts at *places*, int64 (n, longest)."""
        return pad_token_ids([self._ids[place] for place in places], self._padding)


class TextTokenizer(Protocol):
    """Makes rows of tokens as one model reads texts."""

    def read(self, texts: Sequence[str], *, side: Side, max_tokens: int) -> TextBatches:
        """The texts as they are read on that side of a comparison."""
