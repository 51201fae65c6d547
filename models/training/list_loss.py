"""What a ranking model is taught by a list."""

from __future__ import annotations

import torch
from torch import Tensor

TEACHER_SCALE = 12.0
"""Makes a bi-encoder's cosines as sharp as its own training did not: near the width of a trained model's logits."""


def list_loss(logits: Tensor, labels: Tensor, teacher: Tensor, rows: Tensor, *, teacher_weight: float) -> Tensor:
    """The mean loss over the lists of a batch, from values (n,) of n passages; `rows` (n,) says whose each is.

    (1 - w) x cross-entropy to the labels' shares + w x Kullback-Leibler divergence from the teacher's softmax.
    """
    scores = _log_shares(logits.float(), rows)  # (n,)
    total = torch.zeros(int(rows.max()) + 1).to(labels).index_add(0, rows, labels)
    labelled = -(labels / total[rows].clamp(min=1e-6) * scores).sum()
    expected = _log_shares(teacher.float() * TEACHER_SCALE, rows)
    divergence = (expected.exp() * (expected - scores)).sum()
    return ((1 - teacher_weight) * labelled + teacher_weight * divergence) / len(total)


def _log_shares(values: Tensor, rows: Tensor) -> Tensor:
    """The log of each value's share in its own list's softmax (n,)."""
    count = int(rows.max()) + 1
    top = torch.full((count,), -torch.inf).to(values).scatter_reduce(0, rows, values.detach(), "amax")
    shifted = values - top[rows]
    total = torch.zeros(count).to(values).index_add(0, rows, shifted.exp())
    return shifted - total.log()[rows]
