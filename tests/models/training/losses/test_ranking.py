"""Losses on ranking lists."""

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
def test_default_is_cross_entropy_and_divergence_from_the_teacher(weight: float) -> None:
    """Equal to torch's own functions for lists of equal length."""
    labelled = cross_entropy(LOGITS, torch.tensor([0, 0]))
    divergence = kl_div(log_softmax(LOGITS, -1), softmax(TEACHER * TEACHER_SCALE, -1), reduction="batchmean")
    actual = ranking_loss(
        LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, options=LossOptions(teacher_weight=weight)
    )
    torch.testing.assert_close(actual, (1 - weight) * labelled + weight * divergence)


def test_pairwise_is_the_logistic_loss_of_pairs_with_different_labels() -> None:
    """Two irrelevant passages do not contribute."""
    differences = torch.tensor([[2.0 - 0.5, 2.0 + 1.0], [0.3 - 0.1, 0.3 - 4.0]])
    options = LossOptions(loss="pairwise", teacher_weight=0.0)
    actual = ranking_loss(LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, options=options)
    torch.testing.assert_close(actual, softplus(-differences).mean())


def test_pointwise_is_the_binary_cross_entropy_of_each_passage() -> None:
    """Graded labels are probabilities."""
    labels = torch.tensor([0.7, 0.0, 0.2, 1.0, 0.0, 0.0])
    options = LossOptions(loss="pointwise", teacher_weight=0.0)
    actual = ranking_loss(LOGITS.flatten(), labels, TEACHER.flatten(), ROWS, options=options)
    torch.testing.assert_close(actual, binary_cross_entropy_with_logits(LOGITS.flatten(), labels))


@pytest.mark.parametrize("loss", ["listwise", "pairwise", "pointwise"])
def test_list_without_relevant_passage_gives_a_finite_loss(loss: Loss) -> None:
    """All labels of the list are 0."""
    options = LossOptions(loss=loss, teacher_weight=0.0)
    actual = ranking_loss(LOGITS.flatten(), torch.zeros(6), TEACHER.flatten(), ROWS, options=options)
    assert bool(torch.isfinite(actual))


def test_batch_loss_is_the_mean_of_its_lists() -> None:
    """Lists of different lengths do not affect each other."""
    logits, teacher = torch.tensor([1.0, 0.0, 2.0, -1.0, 0.5]), torch.tensor([0.5, 0.1, 0.9, 0.3, 0.2])
    labels, rows = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0]), torch.tensor([0, 0, 0, 1, 1])
    both = ranking_loss(logits, labels, teacher, rows, options=LossOptions())
    alone = [
        ranking_loss(
            logits[at], labels[at], teacher[at], torch.zeros(len(logits[at]), dtype=torch.int64), options=LossOptions()
        )
        for at in (slice(0, 3), slice(3, 5))
    ]
    torch.testing.assert_close(both, torch.stack(alone).mean())


def test_large_logits_give_a_finite_loss() -> None:
    """The softmax does not overflow."""
    actual = ranking_loss(1000 * LOGITS.flatten(), LABELS.flatten(), TEACHER.flatten(), ROWS, options=LossOptions())
    assert bool(torch.isfinite(actual))
