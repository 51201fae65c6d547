"""Rules for the scale of an encoder's cosines."""

from __future__ import annotations

import numpy as np
import pytest

from rerank.core.cosine_scale import REFERENCE, CosineScale
from tests.core.candidates import candidate


def test_typical_cosines_become_those_of_the_reference_encoder() -> None:
    """An encoder whose cosines all lie between 0.7 and 0.9 gets the same fusion weights."""
    scale = CosineScale(unrelated=0.75, matching=0.9)
    scaled = scale.to_reference(np.array([0.75, 0.9]))
    assert scaled.tolist() == pytest.approx([REFERENCE.unrelated, REFERENCE.matching])


def test_reference_encoder_keeps_its_cosines() -> None:
    """Rounding must not change the order of the built-in encoder."""
    candidates = [candidate(1, cosine=0.3), candidate(2, text=1.0)]
    assert REFERENCE.scaled(candidates) == candidates


def test_candidate_without_a_cosine_stays_without_one() -> None:
    """Only the text search retrieved the candidate."""
    scaled = CosineScale(0.5, 0.7).scaled([candidate(1, cosine=0.5), candidate(2, text=1.0)])
    assert [entry.cosine for entry in scaled] == [pytest.approx(REFERENCE.unrelated), None]
