from __future__ import annotations

import time

import pytest

from rerank.core.errors import RequestCancelled
from rerank.core.window_reranker import WindowReranker
from tests.fakes import FakeReranker

QUERY = "green tea"
FILLER = "rain falls on stone. " * 8


def test_the_best_part_of_a_long_text_counts() -> None:
    """What answers the query at the end is found, which the reranker alone does not read."""
    model = FakeReranker(max_tokens=24)
    texts = [FILLER + QUERY, "green stone"]
    assert model.score(QUERY, texts).logits.tolist() == [-4.0, 0.0]
    assert WindowReranker(model).score(QUERY, texts).logits.tolist() == [4.0, 0.0]


def test_it_is_the_reranker_otherwise() -> None:
    """Its name, its fingerprint, and how much it reads."""
    model = FakeReranker(max_tokens=24)
    whole = WindowReranker(model)
    assert (whole.name, whole.fingerprint, whole.max_tokens) == (model.name, model.fingerprint, 24)
    assert whole.text_room(QUERY) == model.text_room(QUERY)
    assert [spans.tolist() for spans in whole.token_spans([QUERY])] == [[[0, 5], [6, 9]]]


def test_its_limits_are_the_callers() -> None:
    """A deadline that has passed leaves all out, and nobody is answered who has left."""

    class Gone:
        def cancelled(self) -> bool:
            return True

    whole = WindowReranker(FakeReranker(max_tokens=24))
    assert not whole.score(QUERY, [FILLER], deadline=time.monotonic() - 1).scored.any()
    with pytest.raises(RequestCancelled):
        whole.score(QUERY, [FILLER], cancellation=Gone())
