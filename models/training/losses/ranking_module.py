"""The module that a run over ranking lists trains: a reranker, with the lists' loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rerank.models.architectures.joint import JointReranker
from rerank.models.training.losses.ranking import LossOptions, ranking_loss
from rerank.models.training.losses.trainable import TrainableModule

HEAD_RATE = 30.0
"""A joint model's head moves this many times faster: it starts at zero, and the rest is nearly right already."""


class JointScorer(nn.Module):
    """Logits of a batch of JointListBatches."""

    def __init__(self, joint: JointReranker) -> None:
        super().__init__()
        self.joint = joint

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """float32 (n,), one a passage."""
        query = (batch["query_ids"], batch["query_mask"])
        passages = (batch["passage_ids"], batch["passage_mask"])
        logits: Tensor = self.joint(query, passages, batch["rows"])
        return logits

    def rescale(self, slope: float, shift: float) -> None:
        """Make every logit slope x logit + shift."""
        with torch.no_grad():
            self.joint.scale.mul_(slope)
            self.joint.bias.mul_(slope).add_(shift)


class CrossScorer(nn.Module):
    """Logits of a batch of CrossEncoderListBatches, by a transformers model with one label."""

    def __init__(self, cross: Any) -> None:
        super().__init__()
        self.cross = cross

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """float32 (n,), one a passage."""
        read = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
        logits: Tensor = self.cross(**read).logits.float()[:, 0]
        return logits

    def rescale(self, slope: float, shift: float) -> None:
        """Make every logit slope x logit + shift, where the model ends in a linear layer; else leave it as it is."""
        last = [module for module in self.cross.modules() if isinstance(module, nn.Linear)][-1]
        if last.out_features != 1 or last.bias is None:
            return
        with torch.no_grad():
            last.weight.mul_(slope)
            last.bias.mul_(slope).add_(shift)


class RankingModule(TrainableModule):
    """A scorer under training: called with a batch, it answers the mean loss of its lists."""

    def __init__(self, scorer: JointScorer | CrossScorer, lesson: LossOptions) -> None:
        super().__init__()
        self.scorer = scorer
        self._lesson = lesson

    def rate(self, name: str) -> float:
        """HEAD_RATE for what a joint model has beside its encoder."""
        return HEAD_RATE if name.rpartition("joint.")[2].split(".")[0] in ("scale", "bias", "head") else 1.0

    def forward(self, **batch: Tensor) -> Tensor:
        """The mean loss of the lists, a scalar."""
        labels, teacher, rows = batch["labels"], batch["teacher"], batch["rows"]
        return ranking_loss(self.scorer(batch), labels, teacher, rows, lesson=self._lesson)
