"""The loss of ranking lists."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from models.training.list_loss import TEACHER_SCALE, list_loss

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.3, 0.1, 4.0]])
TEACHER = torch.tensor([[0.6, 0.4, 0.1], [0.5, 0.2, 0.3]])
LABELS = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
ROWS = torch.tensor([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_it_is_cross_entropy_and_divergence_from_the_teacher(weight: float) -> None:
    """As torch's own functions have it, for lists of equal length."""
    labelled = cross_entropy(LOGITS, torch.tensor([0, 0]))
    divergence = kl_div(log_softmax(LOGITS, -1), softmax(TEACHER * TEACHER_SCALE, -1), reduction="batchmean")
    found = list_loss(LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, teacher_weight=weight)
    torch.testing.assert_close(found, (1 - weight) * labelled + weight * divergence)


def test_lists_of_different_length_do_not_mix() -> None:
    """The loss of a batch is the mean of its lists' own losses."""
    logits, teacher = torch.tensor([1.0, 0.0, 2.0, -1.0, 0.5]), torch.tensor([0.5, 0.1, 0.9, 0.3, 0.2])
    labels, rows = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0]), torch.tensor([0, 0, 0, 1, 1])
    both = list_loss(logits, labels, teacher, rows, teacher_weight=0.5)
    alone = [
        list_loss(
            logits[at], labels[at], teacher[at], torch.zeros(len(logits[at]), dtype=torch.int64), teacher_weight=0.5
        )
        for at in (slice(0, 3), slice(3, 5))
    ]
    torch.testing.assert_close(both, torch.stack(alone).mean())


def test_very_wide_logits_stay_finite() -> None:
    """Nothing overflows on the way to a share."""
    found = list_loss(1000 * LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, teacher_weight=0.5)
    assert bool(torch.isfinite(found))
