"""Losses on ranking lists, and the module that trains a reranker with them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.options import Loss
from rerank.models.training.scorers import CrossEncoderScorer, JointScorer

TEACHER_SCALE = 12.0
"""Factor from a bi-encoder's cosines to the range of a trained reranker's logits."""
HEAD_RATE = 30.0
"""Relative learning rate of a joint reranker's head, which starts at zero while the encoder is already trained."""


@dataclass(frozen=True)
class LossOptions:
    """Loss on the labels, weight of the teacher (0 to 1), and the factor from its values to logits."""

    loss: Loss = "listwise"
    teacher_weight: float = 0.5
    teacher_scale: float = TEACHER_SCALE


class RankingModule(TrainableModule):
    """Reranker under training. Returns the mean loss of a batch of ranking lists."""

    def __init__(self, scorer: JointScorer | CrossEncoderScorer, options: LossOptions) -> None:
        super().__init__()
        self.scorer = scorer
        self._options = options

    def rate(self, name: str) -> float:
        """Returns HEAD_RATE for the parameters of a joint reranker outside its encoder, otherwise 1."""
        return HEAD_RATE if name.rpartition("joint.")[2].split(".")[0] in ("scale", "bias", "head") else 1.0

    def forward(self, **batch: Tensor) -> Tensor:
        """Returns the mean loss of the lists, a scalar."""
        labels, teacher, rows = batch["labels"], batch["teacher"], batch["rows"]
        return ranking_loss(self.scorer(batch), labels, teacher, rows, options=self._options)


def ranking_loss(logits: Tensor, labels: Tensor, teacher: Tensor, rows: Tensor, *, options: LossOptions) -> Tensor:
    """Returns the mean loss over the lists of a batch, a scalar.

    All tensors have shape (n,), one value per passage; `rows` holds the number of the passage's list in the batch. The
    loss is (1 - w) x label loss + w x Kullback-Leibler divergence from the softmax of the teacher's values, with w the
    teacher's weight. Label losses: listwise is the cross-entropy with the normalised labels (ListNet, Cao et al. 2007),
    pairwise the logistic loss of each pair with different labels (RankNet, Burges et al. 2005), pointwise the binary
    cross-entropy of each passage.
    """
    logits = logits.float()
    weight = options.teacher_weight
    total = labels.new_zeros(())
    if weight < 1:
        total = total + (1 - weight) * _LOSSES[options.loss](logits, labels, rows)
    if weight > 0:
        actual = _log_softmax(logits, rows)  # (n,)
        expected = _log_softmax(teacher.float() * options.teacher_scale, rows)
        total = total + weight * (expected.exp() * (expected - actual)).sum() / _count(rows)
    return total


def _listwise(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    total = labels.new_zeros(_count(rows)).index_add(0, rows, labels)
    return -(labels / total[rows].clamp(min=1e-6) * _log_softmax(logits, rows)).sum() / _count(rows)


def _pairwise(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    better = (rows[:, None] == rows[None, :]) & (labels[:, None] > labels[None, :])  # (n, n)
    pairs = labels.new_zeros(_count(rows)).index_add(0, rows, better.sum(1).to(labels))
    losses = softplus(logits[None, :] - logits[:, None]) * better / pairs[rows].clamp(min=1.0)[:, None]
    return losses.sum() / _count(rows)


def _pointwise(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    size = labels.new_zeros(_count(rows)).index_add(0, rows, torch.ones_like(labels))
    losses = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (losses / size[rows]).sum() / _count(rows)


_LOSSES = {"listwise": _listwise, "pairwise": _pairwise, "pointwise": _pointwise}


def _count(rows: Tensor) -> int:
    return int(rows.max()) + 1


def _log_softmax(values: Tensor, rows: Tensor) -> Tensor:
    """Returns the log-softmax of the values within each list, shape (n,)."""
    count = _count(rows)
    largest = torch.full((count,), -torch.inf).to(values).scatter_reduce(0, rows, values.detach(), "amax")
    shifted = values - largest[rows]
    total = torch.zeros(count).to(values).index_add(0, rows, shifted.exp())
    return shifted - total.log()[rows]
