"""What a ranking model is taught by a list."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from rerank.models.training.options import Loss

TEACHER_SCALE = 12.0
"""Makes a bi-encoder's cosines as sharp as its own training did not: near the width of a trained model's logits."""


@dataclass(frozen=True)
class LossOptions:
    """How much a teacher's values weigh beside the labels, and what makes logits of them."""

    loss: Loss = "listwise"
    teacher_weight: float = 0.5
    teacher_scale: float = TEACHER_SCALE


def ranking_loss(logits: Tensor, labels: Tensor, teacher: Tensor, rows: Tensor, *, lesson: LossOptions) -> Tensor:
    """The mean loss over the lists of a batch, from values (n,) of n passages; `rows` (n,) says whose each is.

    (1 - w) x the loss of the labels + w x Kullback-Leibler divergence from the teacher's softmax. The labels' loss is
    listwise: cross-entropy to their shares (ListNet, Cao et al. 2007); pairwise: the logistic loss of each two passages
    of different labels (RankNet, Burges et al. 2005); or pointwise: the binary cross-entropy of each passage.
    """
    logits = logits.float()
    weight = lesson.teacher_weight
    total = labels.new_zeros(())
    if weight < 1:
        total = total + (1 - weight) * _LOSSES[lesson.loss](logits, labels, rows)
    if weight > 0:
        scores = _log_shares(logits, rows)  # (n,)
        expected = _log_shares(teacher.float() * lesson.teacher_scale, rows)
        total = total + weight * (expected.exp() * (expected - scores)).sum() / _count(rows)
    return total


def _listwise(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    total = labels.new_zeros(_count(rows)).index_add(0, rows, labels)
    return -(labels / total[rows].clamp(min=1e-6) * _log_shares(logits, rows)).sum() / _count(rows)


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


def _log_shares(values: Tensor, rows: Tensor) -> Tensor:
    """The log of each value's share in its own list's softmax (n,)."""
    count = _count(rows)
    top = torch.full((count,), -torch.inf).to(values).scatter_reduce(0, rows, values.detach(), "amax")
    shifted = values - top[rows]
    total = torch.zeros(count).to(values).index_add(0, rows, shifted.exp())
    return shifted - total.log()[rows]
