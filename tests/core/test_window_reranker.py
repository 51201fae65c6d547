"""Rules for the reranker that scores long texts by windows."""

from __future__ import annotations

import time

import pytest

from rerank.core.errors import RequestCancelled
from rerank.core.window_reranker import WindowReranker
from tests.fakes import FakeReranker

QUERY = "green tea"
FILLER = "rain falls on stone. " * 8


def test_long_text_is_scored_by_its_best_window() -> None:
    """A match at the end counts, although the wrapped reranker would truncate the text."""
    model = FakeReranker(max_tokens=24)
    texts = [FILLER + QUERY, "green stone"]
    assert model.score(QUERY, texts).logits.tolist() == [-4.0, 0.0]
    assert WindowReranker(model).score(QUERY, texts).logits.tolist() == [4.0, 0.0]


def test_wrapper_has_the_properties_of_the_wrapped_reranker() -> None:
    """The name, the fingerprint and the token limits are those of the wrapped reranker."""
    model = FakeReranker(max_tokens=24)
    wrapper = WindowReranker(model)
    assert (wrapper.name, wrapper.fingerprint, wrapper.max_tokens) == (model.name, model.fingerprint, 24)
    assert wrapper.max_text_tokens(QUERY) == model.max_text_tokens(QUERY)
    assert [spans.tolist() for spans in wrapper.token_spans([QUERY])] == [[[0, 5], [6, 9]]]


def test_deadline_and_cancellation_reach_the_reranker() -> None:
    """An expired deadline scores nothing; a cancelled request raises."""

    class Cancelled:
        def cancelled(self) -> bool:
            return True

    wrapper = WindowReranker(FakeReranker(max_tokens=24))
    assert not wrapper.score(QUERY, [FILLER], deadline=time.monotonic() - 1).scored.any()
    with pytest.raises(RequestCancelled):
        wrapper.score(QUERY, [FILLER], cancellation=Cancelled())
