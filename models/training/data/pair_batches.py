"""Labelled text pairs as batches of token ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rerank.models.training.data.list_batches import pad_token_ids
from rerank.models.training.data.sentence_pairs import SentencePair


class PairBatches:
    """Pairs, tokenized once. Both texts of a pair share a row."""

    def __init__(self, pairs: Sequence[SentencePair], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int) -> None:
        self.labels = np.array([pair.label for pair in pairs])
        encoded = tokenizer(
            [pair.first for pair in pairs], [pair.second for pair in pairs], truncation=True, max_length=max_tokens
        )
        self._ids = [np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"]]
        types = encoded.get("token_type_ids")
        self._types = [np.asarray(ids, dtype=np.int32) for ids in types] if types else None
        self._padding = int(tokenizer.pad_token_id or 0)
        self.lengths = [len(ids) for ids in self._ids]

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Returns the model's inputs for the pairs at *indices*, and their `labels`, float32 (n,)."""
        ids, mask = pad_token_ids([self._ids[index] for index in indices], self._padding)
        batch = {"input_ids": ids, "attention_mask": mask}
        if self._types is not None:
            batch["token_type_ids"], _ = pad_token_ids([self._types[index] for index in indices], 0)
        return {**batch, "labels": torch.tensor(self.labels[list(indices)], dtype=torch.float32)}
