"""The loss of ranking lists."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    log_softmax,
    softmax,
    softplus,
)

from rerank.models.training.losses.ranking import TEACHER_SCALE, LossOptions, ranking_loss
from rerank.models.training.options import Loss

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.3, 0.1, 4.0]])
TEACHER = torch.tensor([[0.6, 0.4, 0.1], [0.5, 0.2, 0.3]])
LABELS = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
ROWS = torch.tensor([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_it_is_cross_entropy_and_divergence_from_the_teacher(weight: float) -> None:
    """As torch's own functions have it, for lists of equal length."""
    labelled = cross_entropy(LOGITS, torch.tensor([0, 0]))
    divergence = kl_div(log_softmax(LOGITS, -1), softmax(TEACHER * TEACHER_SCALE, -1), reduction="batchmean")
    found = ranking_loss(
        LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, lesson=LossOptions(teacher_weight=weight)
    )
    torch.testing.assert_close(found, (1 - weight) * labelled + weight * divergence)


def test_pairwise_is_the_logistic_loss_of_each_two_of_different_labels() -> None:
    """The relevant passage against each other one; two irrelevant ones say nothing."""
    differences = torch.tensor([[2.0 - 0.5, 2.0 + 1.0], [0.3 - 0.1, 0.3 - 4.0]])
    lesson = LossOptions(loss="pairwise", teacher_weight=0.0)
    found = ranking_loss(LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, lesson=lesson)
    torch.testing.assert_close(found, softplus(-differences).mean())


def test_pointwise_is_the_binary_cross_entropy_of_each_passage() -> None:
    """Each passage alone; graded labels are shares."""
    labels = torch.tensor([0.7, 0.0, 0.2, 1.0, 0.0, 0.0])
    lesson = LossOptions(loss="pointwise", teacher_weight=0.0)
    found = ranking_loss(LOGITS.flatten(), labels, TEACHER.flatten(), ROWS, lesson=lesson)
    torch.testing.assert_close(found, binary_cross_entropy_with_logits(LOGITS.flatten(), labels))


@pytest.mark.parametrize("loss", ["listwise", "pairwise", "pointwise"])
def test_a_list_without_judgments_gives_no_infinity(loss: Loss) -> None:
    """Where all labels are 0 there may be nothing to learn, but never a value that is no number."""
    lesson = LossOptions(loss=loss, teacher_weight=0.0)
    found = ranking_loss(LOGITS.flatten(), torch.zeros(6), TEACHER.flatten(), ROWS, lesson=lesson)
    assert bool(torch.isfinite(found))


def test_lists_of_different_length_do_not_mix() -> None:
    """The loss of a batch is the mean of its lists' own losses."""
    logits, teacher = torch.tensor([1.0, 0.0, 2.0, -1.0, 0.5]), torch.tensor([0.5, 0.1, 0.9, 0.3, 0.2])
    labels, rows = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0]), torch.tensor([0, 0, 0, 1, 1])
    both = ranking_loss(logits, labels, teacher, rows, lesson=LossOptions())
    alone = [
        ranking_loss(
            logits[at], labels[at], teacher[at], torch.zeros(len(logits[at]), dtype=torch.int64), lesson=LossOptions()
        )
        for at in (slice(0, 3), slice(3, 5))
    ]
    torch.testing.assert_close(both, torch.stack(alone).mean())


def test_very_wide_logits_stay_finite() -> None:
    """Nothing overflows on the way to a share."""
    found = ranking_loss(1000 * LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, lesson=LossOptions())
    assert bool(torch.isfinite(found))
