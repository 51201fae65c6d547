"""Scored pairs as tensors, and the module that a run over them trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from rerank.models.training.data.list_batches import pad_token_ids
from rerank.models.training.data.sentence_pairs import SentencePair
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.precision import autocast

_EVALUATED = 64


class PairBatches:
    """Pairs read into tokens once, as one row each."""

    def __init__(self, pairs: Sequence[SentencePair], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int) -> None:
        self.labels = np.array([pair.label for pair in pairs])
        read = tokenizer(
            [pair.first for pair in pairs], [pair.second for pair in pairs], truncation=True, max_length=max_tokens
        )
        self._ids = [np.asarray(ids, dtype=np.int32) for ids in read["input_ids"]]
        types = read.get("token_type_ids")
        self._types = [np.asarray(ids, dtype=np.int32) for ids in types] if types else None
        self._padding = int(tokenizer.pad_token_id or 0)
        self.lengths = [len(ids) for ids in self._ids]

    def batch(self, places: Sequence[int]) -> dict[str, Tensor]:
        """The pairs at *places*: what the model reads, and `labels` float32 (n,)."""
        ids, mask = pad_token_ids([self._ids[place] for place in places], self._padding)
        batch = {"input_ids": ids, "attention_mask": mask}
        if self._types is not None:
            batch["token_type_ids"], _ = pad_token_ids([self._types[place] for place in places], 0)
        return {**batch, "labels": torch.tensor(self.labels[list(places)], dtype=torch.float32)}


class ClassificationModule(TrainableModule):
    """A cross-encoder with several labels under training; each pair's own label is the number of its class."""

    def __init__(self, cross: Any) -> None:
        super().__init__()
        self.cross = cross

    def forward(self, **batch: Tensor) -> Tensor:
        """The mean cross-entropy of the pairs, a scalar."""
        read = {name: value for name, value in batch.items() if name != "labels"}
        return cross_entropy(self._logits(read), batch["labels"].long())

    def scores(self, pairs: PairBatches) -> NDArray[np.float64]:
        """The logits of each of the pairs, float64 (n, labels)."""
        device = next(self.parameters()).device
        order = np.argsort(pairs.lengths, kind="stable").tolist()
        scores = np.zeros((len(order), self.cross.config.num_labels))
        self.eval()
        for start in range(0, len(order), _EVALUATED):
            places = order[start : start + _EVALUATED]
            read = {name: value.to(device) for name, value in pairs.batch(places).items() if name != "labels"}
            with torch.inference_mode(), autocast():
                scores[places] = self._logits(read).double().cpu().numpy()
        return scores

    def _logits(self, read: dict[str, Tensor]) -> Tensor:
        logits: Tensor = self.cross(**read).logits.float()  # (n, labels)
        return logits
