from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.fusion import sigmoid
from rerank.service.dialects.score_rounding import round_descending

LOGITS = st.lists(st.floats(-80, 80, width=32), min_size=1, max_size=60).map(lambda found: sorted(found, reverse=True))


@given(LOGITS)
def test_written_scores_keep_the_models_order(logits: list[float]) -> None:
    """Unequal logits have unequal scores, equal ones equal scores, all from 0 to 1 and close to the true ones."""
    true = sigmoid(np.array(logits))
    written = round_descending(true, logits, floor=0.0)
    same = [above == below for above, below in pairwise(logits)]
    falls = [above - below for above, below in pairwise(written)]
    assert [fall == 0 for fall in falls] == same
    assert all(fall >= 0 for fall in falls)
    assert all(0 <= score <= 1 for score in written)
    np.testing.assert_allclose(written, true, atol=1e-8 * (len(logits) + 1))


@given(LOGITS)
def test_written_scores_are_short_doubles(logits: list[float]) -> None:
    """json-smart reads at most 18 characters as a double, and only with a point or an exponent (ml-commons casts)."""
    for written in (
        round_descending(sigmoid(np.array(logits)), logits, floor=0.0),
        round_descending(np.array(logits), logits),
    ):
        literals = [json.dumps(score) for score in written]
        assert [literal for literal in literals if len(literal) > 18 or not set(".e") & set(literal)] == []


def test_answers_that_a_sigmoid_cannot_tell_apart_stay_apart() -> None:
    """At both ends, where the sigmoid is 1 or 0 for all of them."""
    logits = [60.0, 50.0, 50.0, 0.0, -50.0, -60.0]
    written = round_descending(sigmoid(np.array(logits)), logits, floor=0.0)
    assert written == [1.0, 0.99999999, 0.99999999, 0.5, 1e-08, 0.0]
