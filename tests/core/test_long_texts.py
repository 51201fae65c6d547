from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.errors import InvalidRequest
from rerank.core.long_texts import BEST_WINDOW, LengthLimits, LongTextPolicy, score_texts
from rerank.core.stop_condition import StopCondition
from tests.fakes import FakeReranker, words

QUERY = "green tea"
FILLER = "rain falls on stone. " * 8
"""Forty tokens, dots included: two windows of a model that reads 24 beside the query."""


def reranker() -> FakeReranker:
    """Reads 22 words beside QUERY."""
    return FakeReranker(max_tokens=24)


def test_the_best_window_of_a_long_text_counts() -> None:
    """What answers the query at the end of a long text is found, and nothing is said to be cut."""
    read = score_texts(reranker(), QUERY, [FILLER + "green tea", "green stone", FILLER], limits=BEST_WINDOW)
    assert read.logits.tolist() == [4.0, 0.0, -4.0]
    assert read.truncated.tolist() == [False, False, False]
    assert read.scored.all()


def test_texts_that_fit_are_read_as_they_are() -> None:
    """One call, the same texts, the same answer."""
    model = reranker()
    texts = ["green tea", "", "stone"]
    read = score_texts(model, QUERY, texts, limits=BEST_WINDOW)
    alone = model.score(QUERY, texts)
    assert model.calls == [(QUERY, tuple(texts))] * 2
    np.testing.assert_array_equal(read.logits, alone.logits)
    np.testing.assert_array_equal(read.tokens, alone.tokens)


@pytest.mark.parametrize(
    ("limits", "logit"),
    [
        (LengthLimits(max_windows=1), -4.0),
        (LengthLimits(max_tokens=30), -4.0),
        (LengthLimits(max_tokens=5), -4.0),
        (LengthLimits(LongTextPolicy.CUT_END), -4.0),
        (LengthLimits(LongTextPolicy.CUT_START), 4.0),
        (LengthLimits(LongTextPolicy.CUT_START, max_tokens=2), 4.0),
        (LengthLimits(max_tokens=None), 4.0),
    ],
)
def test_limits_leave_out_what_lies_beyond_them_and_say_so(limits: LengthLimits, logit: float) -> None:
    """The first tokens or windows are read, or the last where the start is cut; a part that was not read is told."""
    read = score_texts(reranker(), QUERY, [FILLER + "green tea"], limits=limits)
    assert (read.logits.tolist(), read.truncated.tolist()) == ([logit], [limits != LengthLimits(max_tokens=None)])


def test_a_text_that_is_too_long_can_be_refused() -> None:
    """Its place, its length and what would fit are named; one that fits is read."""
    refused = LengthLimits(LongTextPolicy.REFUSE)
    assert score_texts(reranker(), QUERY, ["green tea"], limits=refused).scored.tolist() == [True]
    with pytest.raises(InvalidRequest) as caught:
        score_texts(reranker(), QUERY, ["green tea", FILLER], limits=refused)
    assert caught.value.message == (
        "text 1 must have at most 22 tokens with this query, got 40. Shorten the text or allow truncation"
    )


def test_a_deadline_leaves_out_ends_before_whole_texts() -> None:
    """Each text's first window is read before any text's second; a text of which a part was read is scored."""
    left = [3]

    def stop_after_three(_: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            time.sleep(0.2)

    model = FakeReranker(max_tokens=24, before_each=stop_after_three)
    read = score_texts(
        model,
        QUERY,
        [FILLER + "green tea", "green stone", "green tea"],
        limits=BEST_WINDOW,
        stop=StopCondition(time.monotonic() + 0.1),
    )
    assert read.scored.tolist() == [True, True, True]
    assert read.logits.tolist() == [-4.0, 0.0, 4.0]
    assert read.truncated.tolist() == [True, False, False]


def test_a_text_of_a_megabyte_is_cut_before_it_is_tokenised() -> None:
    """A huge text costs what its first tokens cost; one of few tokens for its length is read to its limit."""
    seen: list[int] = []

    class Counting(FakeReranker):
        def token_spans(self, texts):  # type: ignore[no-untyped-def]
            seen.extend(len(text) for text in texts)
            return super().token_spans(texts)

    limits = LengthLimits(max_tokens=100)
    score_texts(Counting(max_tokens=24), QUERY, ["tea " * (1 << 18)], limits=limits)
    assert seen == [101 * 16]
    sparse = score_texts(Counting(max_tokens=24), QUERY, [" " * 10_000 + "green tea"], limits=limits)
    assert sparse.logits.tolist() == [4.0]


@given(st.lists(st.text("ab .\n", max_size=300), max_size=5), st.integers(1, 4))
def test_every_word_is_read_once_limits_allow(texts: list[str], max_windows: int) -> None:
    """The windows of a text hold all of its words, or it is said to be cut; there are never more than allowed."""
    model = FakeReranker(max_tokens=20)
    limits = LengthLimits(max_tokens=None, max_windows=max_windows)
    read = score_texts(model, "a", texts, limits=limits)
    ((_, windows),) = model.calls
    assert len(windows) <= max_windows * len(texts)
    held = {word for window in windows for word in words(window)}
    if not read.truncated.any():
        assert held == {word for text in texts for word in words(text)}
    assert read.scored.all()
