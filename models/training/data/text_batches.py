"""Texts as batches of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rerank.models.training.data.list_batches import TokenIds, pad_token_ids

Side = Literal["query", "document"]
_CHUNK = 20_000


class TextBatches:
    """Texts, tokenized once with special tokens."""

    def __init__(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int) -> None:
        self._padding = int(tokenizer.pad_token_id or 0)
        self._ids: list[TokenIds] = []
        for start in range(0, len(texts), _CHUNK):
            chunk = list(texts[start : start + _CHUNK])
            encoded = tokenizer(chunk, truncation=True, max_length=max_tokens, return_attention_mask=False)
            self._ids.extend(np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"])
        self.lengths = [len(ids) for ids in self._ids]

    def __len__(self) -> int:
        return len(self._ids)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Returns ids and attention mask of the texts at *indices*, int64 (n, longest text)."""
        return pad_token_ids([self._ids[index] for index in indices], self._padding)


class TextTokenizer(Protocol):
    """Tokenizes texts with the prompts of one encoder."""

    def tokenize(self, texts: Sequence[str], *, side: Side, max_tokens: int) -> TextBatches:
        """Returns the texts, tokenized as queries or as documents."""
