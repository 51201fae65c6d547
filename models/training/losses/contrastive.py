"""Contrastive learning: each query's passage against the passages of the other queries in the batch.

Henderson et al.: Efficient Natural Language Response Suggestion for Smart Reply, 2017. Gradient checkpointing over
mini-batches lets a batch of any size fit into memory: Gao et al., Scaling Deep Contrastive Learning Batch Size under
Memory Limited Setup, 2021.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.text_encoder import TextEncoder

_SCALE = 20.0


class ContrastiveModule(TrainableModule):
    """Encoder that learns which of a batch's passages answers each query."""

    def __init__(self, encoder: TextEncoder, *, teacher_weight: float, mini_batch: int) -> None:
        super().__init__()
        self.encoder = encoder
        # The tuple hides the frozen teacher from torch: it is neither saved with checkpoints nor optimised.
        self._teacher: tuple[TextEncoder, ...] = (
            (deepcopy(encoder).eval().requires_grad_(False),) if teacher_weight else ()
        )
        self._teacher_weight = teacher_weight
        self._mini_batch = mini_batch

    def forward(self, **batch: Tensor) -> Tensor:
        """Returns the loss, a scalar.

        (1 - w) x mean of the cross-entropies of queries over passages and of passages over queries, + w x
        Kullback-Leibler divergence from the base model's ranking of the passages, with w the teacher's weight.
        """
        queries = self._encode(batch["query_ids"], batch["query_mask"])
        passages = self._encode(batch["passage_ids"], batch["passage_mask"])
        scores = (queries @ passages.T * _SCALE).masked_fill(batch["answers"], -torch.inf)  # (b, p)
        positive = batch["positive"]
        own = torch.arange(len(positive), device=positive.device)
        # Two queries can share a passage: neither is a negative for it.
        shared = (positive[:, None] == positive[None, :]) & ~torch.eye(len(own), dtype=torch.bool, device=own.device)
        backwards = scores[:, positive].T.masked_fill(shared, -torch.inf)  # (b passages, b queries)
        loss = (cross_entropy(scores, positive) + cross_entropy(backwards, own)) / 2
        for teacher in self._teacher:
            divergence = self._divergence(teacher.to(scores.device), batch, scores)
            loss = (1 - self._teacher_weight) * loss + self._teacher_weight * divergence
        return loss

    def _divergence(self, teacher: TextEncoder, batch: dict[str, Tensor], scores: Tensor) -> Tensor:
        with torch.no_grad():
            queries = teacher(batch["query_ids"], batch["query_mask"])
            passages = teacher(batch["passage_ids"], batch["passage_mask"])
            expected = (queries @ passages.T * _SCALE).masked_fill(batch["answers"], -torch.inf).log_softmax(-1)
        differences = (expected - scores.log_softmax(-1)).masked_fill(batch["answers"], 0.0)
        divergence: Tensor = (expected.exp() * differences).sum(-1).mean()
        return divergence

    def _encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        size = self._mini_batch
        if not size or len(ids) <= size:
            vectors: Tensor = self.encoder(ids, mask)
            return vectors
        parts = zip(torch.split(ids, size), torch.split(mask, size), strict=True)
        return torch.cat([checkpoint(self.encoder, *part, use_reentrant=False) for part in parts])
