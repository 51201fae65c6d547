"""Correlations, ranking scores, and what a logit means."""

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
    """Held-out lists that no model reads."""

    def __init__(self, *labels: tuple[float, ...]) -> None:
        self.lists = [RankingList("q", ("p",) * len(one), one) for one in labels]
        self.lengths = [1] * len(labels)

    def batch(self, places: Sequence[int]) -> dict[str, Tensor]:
        raise AssertionError("the logits are given")


SERIES = st.lists(st.integers(-5, 5).map(float), min_size=3, max_size=30)


@given(values=SERIES)
def test_a_series_goes_with_itself_and_against_its_opposite(values: list[float]) -> None:
    """1 and -1, and 0 where nothing varies."""
    series = np.array(values)
    expected = 1.0 if len(set(values)) > 1 else 0.0
    for measure in (pearson, spearman):
        assert measure(series, series) == pytest.approx(expected)
        assert measure(series, -series) == pytest.approx(-expected)


def test_spearman_shares_the_ranks_of_equal_values() -> None:
    """As scipy has it: 0.9487 for one tie among four."""
    assert spearman(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.9486833)


def test_ranking_scores_are_those_of_the_ranked_labels() -> None:
    """The first list is right, in the second the relevant passage is third."""
    held_out = Lists((1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    logits = [np.array([3.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])]
    assert ranking_metrics(logits, held_out) == pytest.approx({"ndcg@10": (1 + 0.5) / 2, "mrr": (1 + 1 / 3) / 2})


def test_equal_logits_earn_nothing() -> None:
    """A model that says the same of everything is not rewarded for the order of the input."""
    assert ranking_metrics([np.zeros(3)], Lists((1.0, 0.0, 0.0)))["mrr"] == pytest.approx(1 / 3)


def test_a_logit_becomes_the_log_odds_of_relevance() -> None:
    """Where half of the passages at a logit are relevant, the fitted one is 0; a slope is found again."""
    draw = np.random.default_rng(0)
    raw = draw.normal(size=(4000, 5))
    relevant = draw.random(raw.shape) < 1 / (1 + np.exp(-(2.0 * raw - 1.0)))
    held_out = Lists(*(tuple(map(float, one)) for one in relevant))
    slope, shift = fit_log_odds(list(raw), held_out)
    assert (slope, shift) == pytest.approx((2.0, -1.0), abs=0.1)


def test_lists_told_apart_without_a_fault_give_a_finite_fit() -> None:
    """No likelihood has a highest point there; the ridge gives one."""
    slope, shift = fit_log_odds([np.array([5.0, -5.0])] * 20, Lists(*[(1.0, 0.0)] * 20))
    assert np.isfinite([slope, shift]).all()
    assert slope > 0


def test_a_model_that_orders_backwards_is_left_as_it_is() -> None:
    """A slope below 0 would turn its order round in silence."""
    assert fit_log_odds([np.array([-1.0, 1.0])] * 20, Lists(*[(1.0, 0.0)] * 20)) == (1.0, 0.0)
