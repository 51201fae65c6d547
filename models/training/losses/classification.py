"""Cross-entropy of text pairs with several labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from rerank.models.training.data.pair_batches import PairBatches
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.precision import autocast

_BATCH = 64


class ClassificationModule(TrainableModule):
    """Cross-encoder with several labels under training. A pair's label is the number of its class."""

    def __init__(self, cross: Any) -> None:
        super().__init__()
        self.cross = cross

    def forward(self, **batch: Tensor) -> Tensor:
        """Returns the mean cross-entropy of the pairs, a scalar."""
        labels = batch.pop("labels")
        return cross_entropy(self._logits(batch), labels.long())

    def logits(self, pairs: PairBatches) -> NDArray[np.float64]:
        """Returns the logits of all pairs with the current weights, float64 (n, labels)."""
        device = next(self.parameters()).device
        order = np.argsort(pairs.lengths, kind="stable").tolist()
        logits = np.zeros((len(order), self.cross.config.num_labels))
        self.eval()
        for start in range(0, len(order), _BATCH):
            indices = order[start : start + _BATCH]
            inputs = {name: value.to(device) for name, value in pairs.batch(indices).items() if name != "labels"}
            with torch.inference_mode(), autocast():
                logits[indices] = self._logits(inputs).double().cpu().numpy()
        return logits

    def _logits(self, inputs: dict[str, Tensor]) -> Tensor:
        logits: Tensor = self.cross(**inputs).logits.float()  # (n, labels)
        return logits
