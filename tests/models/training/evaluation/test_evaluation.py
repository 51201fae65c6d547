"""Correlations, ranking metrics, and the calibration of logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.evaluation.correlation import pearson, spearman
from rerank.models.training.evaluation.ranking import fit_log_odds, ranking_metrics


class Lists:
    """Held-out lists for given logits."""

    def __init__(self, *labels: tuple[float, ...]) -> None:
        self.lists = [RankingList("q", ("p",) * len(labels_of_list), labels_of_list) for labels_of_list in labels]
        self.lengths = [1] * len(labels)

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        raise AssertionError("the logits are given")


SERIES = st.lists(st.integers(-5, 5).map(float), min_size=3, max_size=30)


@given(values=SERIES)
def test_correlation_with_itself_is_1_and_with_its_opposite_minus_1(values: list[float]) -> None:
    """A constant series correlates 0."""
    series = np.array(values)
    expected = 1.0 if len(set(values)) > 1 else 0.0
    for measure in (pearson, spearman):
        assert measure(series, series) == pytest.approx(expected)
        assert measure(series, -series) == pytest.approx(-expected)


def test_spearman_averages_the_ranks_of_ties() -> None:
    """One tie among four values gives 0.9487."""
    assert spearman(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.9486833)


def test_ranking_metrics_follow_the_ranked_labels() -> None:
    """The relevant passage is first in one list and third in the other."""
    held_out = Lists((1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    logits = [np.array([3.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])]
    assert ranking_metrics(logits, held_out) == pytest.approx({"ndcg@10": (1 + 0.5) / 2, "mrr": (1 + 1 / 3) / 2})


def test_equal_logits_rank_the_relevant_passage_last() -> None:
    """A constant model gets no credit for the order of the input."""
    assert ranking_metrics([np.zeros(3)], Lists((1.0, 0.0, 0.0)))["mrr"] == pytest.approx(1 / 3)


def test_log_odds_fit_recovers_slope_and_shift() -> None:
    """Relevance is drawn with known log-odds."""
    draw = np.random.default_rng(0)
    raw = draw.normal(size=(4000, 5))
    relevant = draw.random(raw.shape) < 1 / (1 + np.exp(-(2.0 * raw - 1.0)))
    held_out = Lists(*(tuple(map(float, row)) for row in relevant))
    slope, shift = fit_log_odds(list(raw), held_out)
    assert (slope, shift) == pytest.approx((2.0, -1.0), abs=0.1)


def test_separable_lists_give_a_finite_fit() -> None:
    """The unpenalised likelihood has no maximum for them."""
    slope, shift = fit_log_odds([np.array([5.0, -5.0])] * 20, Lists(*[(1.0, 0.0)] * 20))
    assert np.isfinite([slope, shift]).all()
    assert slope > 0


def test_inverse_order_keeps_the_logits() -> None:
    """A negative slope would reverse the ranking silently."""
    assert fit_log_odds([np.array([-1.0, 1.0])] * 20, Lists(*[(1.0, 0.0)] * 20)) == (1.0, 0.0)
