"""Rerankers under training: from a batch of ranking lists to one logit per passage."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rerank.models.architectures.joint import JointReranker


class JointScorer(nn.Module):
    """Joint reranker that scores batches of JointListBatches."""

    def __init__(self, joint: JointReranker) -> None:
        super().__init__()
        self.joint = joint

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Returns the logits, float32 (n,), one per passage."""
        query = (batch["query_ids"], batch["query_mask"])
        passages = (batch["passage_ids"], batch["passage_mask"])
        logits: Tensor = self.joint(query, passages, batch["rows"])
        return logits

    def rescale(self, slope: float, shift: float) -> None:
        """Changes the weights so that every logit becomes slope x logit + shift."""
        with torch.no_grad():
            self.joint.scale.mul_(slope)
            self.joint.bias.mul_(slope).add_(shift)


class CrossEncoderScorer(nn.Module):
    """Transformers cross-encoder with one label that scores batches of CrossEncoderListBatches."""

    def __init__(self, cross: Any) -> None:
        super().__init__()
        self.cross = cross

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Returns the logits, float32 (n,), one per passage."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
        logits: Tensor = self.cross(**inputs).logits.float()[:, 0]
        return logits

    def rescale(self, slope: float, shift: float) -> None:
        """Changes the weights so that every logit becomes slope x logit + shift.

        A model whose last layer is not linear with one output and a bias stays unchanged.
        """
        last = [module for module in self.cross.modules() if isinstance(module, nn.Linear)][-1]
        if last.out_features != 1 or last.bias is None:
            return
        with torch.no_grad():
            last.weight.mul_(slope)
            last.bias.mul_(slope).add_(shift)
