"""Losses over a batch: every query against every passage of the batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def contrast(cosines: Tensor, gold: Tensor, teacher: Tensor | None, *, temperature: float, margin: float) -> Tensor:
    """Returns the cross-entropy of the gold passages against the other passages of the batch.

    cosines, teacher: (queries, passages). gold: boolean of the same shape. A passage that the teacher scores above the
    gold passage by more than *margin* is a likely false negative, and does not count.
    """
    logits = cosines / temperature
    if teacher is not None:
        best = teacher.masked_fill(~gold, -torch.inf).amax(dim=1, keepdim=True)
        logits = logits.masked_fill((teacher > best + margin) & ~gold, -torch.inf)
    positive = logits.masked_fill(~gold, -torch.inf)
    return (logits.logsumexp(dim=1) - positive.logsumexp(dim=1)).mean()


def distillation(cosines: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Returns the divergence of the student's distribution over the passages from the teacher's."""
    wanted = functional.log_softmax(teacher / temperature, dim=1)
    found = functional.log_softmax(cosines / temperature, dim=1)
    return functional.kl_div(found, wanted, log_target=True, reduction="batchmean")
