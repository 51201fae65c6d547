"""Rules for calibrated scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.calibration import UNCALIBRATED, Calibration, QueryEvidence, probabilities, query_evidence
from rerank.core.features import FirstStageFeatures
from tests.core.candidates import by_score, candidate

calibrations = st.builds(
    Calibration,
    slope=st.floats(1e-3, 10),
    intercept=st.floats(-20, 20),
    evidence=st.dictionaries(
        st.sampled_from(["best_logit", "best_cosine"]),
        st.builds(QueryEvidence, weight=st.floats(-5, 5), typical=st.floats(-5, 5)),
    ),
)


@given(calibrations, st.lists(st.floats(-50, 50), min_size=1, max_size=12, unique=True), st.floats(-20, 20))
def test_calibration_preserves_the_order(calibration: Calibration, scores: list[float], best: float) -> None:
    """Probabilities are between 0 and 1 and increase strictly with the score, within float precision."""
    values = np.sort(np.array(scores))
    log_odds = calibration.log_odds(values, {"best_logit": best, "best_cosine": None})
    result = probabilities(log_odds)
    assert ((result > 0) & (result < 1)).all()
    increase = np.diff(result)
    assert (increase >= 0).all()
    distinguishable = (np.diff(values) > 1e-3) & (np.abs(log_odds[1:]) < 25) & (np.abs(log_odds[:-1]) < 25)
    assert (increase[distinguishable] > 0).all()


def test_uncalibrated_probability_is_the_sigmoid_of_the_logit() -> None:
    result = probabilities(UNCALIBRATED.log_odds(np.array([-1.0, 0.0, 3.0]), {"best_logit": 3.0, "best_cosine": 0.4}))
    assert result == pytest.approx([0.26894142, 0.5, 0.95257413])


def test_evidence_shifts_all_candidates_of_a_query_equally() -> None:
    """A low best cosine lowers all scores; missing evidence changes none."""
    calibration = Calibration(2.0, -1.0, {"best_cosine": QueryEvidence(weight=10.0, typical=0.6)})
    scores = np.array([0.0, 1.0])
    assert calibration.log_odds(scores, {"best_cosine": 0.4}) == pytest.approx([-3.0, -1.0])
    assert calibration.log_odds(scores, {"best_cosine": 0.6}) == pytest.approx([-1.0, 1.0])
    assert calibration.log_odds(scores, {"best_cosine": None}) == pytest.approx([-1.0, 1.0])
    assert calibration.log_odds(scores, {}) == pytest.approx([-1.0, 1.0])


def test_query_evidence_is_the_highest_logit_and_cosine() -> None:
    """best_cosine is None without cosines."""
    logits = np.array([-1.0, 2.0], dtype=np.float32)
    features = FirstStageFeatures.of("q", [candidate(1, cosine=0.25), candidate(2, cosine=0.5)])
    assert query_evidence(logits, features) == {"best_logit": 2.0, "best_cosine": 0.5}
    assert query_evidence(logits, FirstStageFeatures.of("q", by_score([2.0, 1.0])))["best_cosine"] is None
