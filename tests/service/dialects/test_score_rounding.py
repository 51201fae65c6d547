from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.fusion import sigmoid
from rerank.service.dialects.score_rounding import round_descending

LOGITS = st.lists(st.floats(-80, 80, width=32), min_size=1, max_size=60).map(
    lambda values: sorted(values, reverse=True)
)


@given(LOGITS)
def test_rounded_scores_keep_the_order_of_the_logits(logits: list[float]) -> None:
    """Scores are equal exactly where the logits are, within [0, 1], and close to the exact scores."""
    exact = sigmoid(np.array(logits))
    rounded = round_descending(exact, logits, floor=0.0)
    logits_equal = [above == below for above, below in pairwise(logits)]
    differences = [above - below for above, below in pairwise(rounded)]
    assert [difference == 0 for difference in differences] == logits_equal
    assert all(difference >= 0 for difference in differences)
    assert all(0 <= score <= 1 for score in rounded)
    np.testing.assert_allclose(rounded, exact, atol=1e-8 * (len(logits) + 1))


@given(LOGITS)
def test_rounded_scores_are_parsed_as_doubles_by_json_smart(logits: list[float]) -> None:
    """json-smart parses at most 18 characters as a double, and only with a point or an exponent."""
    for rounded in (
        round_descending(sigmoid(np.array(logits)), logits, floor=0.0),
        round_descending(np.array(logits), logits),
    ):
        literals = [json.dumps(score) for score in rounded]
        assert [literal for literal in literals if len(literal) > 18 or not set(".e") & set(literal)] == []


def test_saturated_scores_stay_distinct() -> None:
    """At both ends, the sigmoid is 0 or 1 for several different logits."""
    logits = [60.0, 50.0, 50.0, 0.0, -50.0, -60.0]
    rounded = round_descending(sigmoid(np.array(logits)), logits, floor=0.0)
    assert rounded == [1.0, 0.99999999, 0.99999999, 0.5, 1e-08, 0.0]
