"""Rules for scoring texts that exceed the model's length."""

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
"""Forty tokens, including periods: two windows of a model with 24 tokens."""


def reranker() -> FakeReranker:
    """Reranker with a budget of 22 words per text for QUERY."""
    return FakeReranker(max_tokens=24)


def test_long_text_is_scored_by_its_best_window() -> None:
    """A match at the end of a long text counts, and no text is reported as truncated."""
    scores = score_texts(reranker(), QUERY, [FILLER + "green tea", "green stone", FILLER], limits=BEST_WINDOW)
    assert scores.logits.tolist() == [4.0, 0.0, -4.0]
    assert scores.truncated.tolist() == [False, False, False]
    assert scores.scored.all()


def test_texts_that_fit_are_scored_unchanged() -> None:
    """The wrapped reranker gets the same texts in one call, and the scores are its scores."""
    model = reranker()
    texts = ["green tea", "", "stone"]
    scores = score_texts(model, QUERY, texts, limits=BEST_WINDOW)
    alone = model.score(QUERY, texts)
    assert model.calls == [(QUERY, tuple(texts))] * 2
    np.testing.assert_array_equal(scores.logits, alone.logits)
    np.testing.assert_array_equal(scores.tokens, alone.tokens)


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
def test_limits_truncate_long_texts_and_report_it(limits: LengthLimits, logit: float) -> None:
    """The first tokens or windows are scored, or the last ones if the start is cut."""
    scores = score_texts(reranker(), QUERY, [FILLER + "green tea"], limits=limits)
    assert (scores.logits.tolist(), scores.truncated.tolist()) == ([logit], [limits != LengthLimits(max_tokens=None)])


def test_long_text_under_the_refuse_policy_is_refused() -> None:
    """The message has its position, its length and the limit."""
    refused = LengthLimits(LongTextPolicy.REFUSE)
    assert score_texts(reranker(), QUERY, ["green tea"], limits=refused).scored.tolist() == [True]
    with pytest.raises(InvalidRequest) as caught:
        score_texts(reranker(), QUERY, ["green tea", FILLER], limits=refused)
    assert caught.value.message == (
        "text 1 must have at most 22 tokens with this query, got 40. Shorten the text or allow truncation"
    )


def test_deadline_leaves_out_ends_of_texts_first() -> None:
    """The first windows of all texts are scored first; a text with at least one scored window is scored."""
    remaining = [3]

    def stop_after_three(_: str) -> None:
        remaining[0] -= 1
        if remaining[0] == 0:
            time.sleep(0.2)

    model = FakeReranker(max_tokens=24, before_each=stop_after_three)
    scores = score_texts(
        model,
        QUERY,
        [FILLER + "green tea", "green stone", "green tea"],
        limits=BEST_WINDOW,
        stop=StopCondition(time.monotonic() + 0.1),
    )
    assert scores.scored.tolist() == [True, True, True]
    assert scores.logits.tolist() == [-4.0, 0.0, 4.0]
    assert scores.truncated.tolist() == [True, False, False]


def test_megabyte_of_text_is_truncated_before_tokenization() -> None:
    """The cost depends only on the token limit, and texts with few tokens for their length are not truncated early."""
    lengths: list[int] = []

    class CountingReranker(FakeReranker):
        def token_spans(self, texts):  # type: ignore[no-untyped-def]
            lengths.extend(len(text) for text in texts)
            return super().token_spans(texts)

    limits = LengthLimits(max_tokens=100)
    score_texts(CountingReranker(max_tokens=24), QUERY, ["tea " * (1 << 18)], limits=limits)
    assert lengths == [101 * 16]
    sparse = score_texts(CountingReranker(max_tokens=24), QUERY, [" " * 10_000 + "green tea"], limits=limits)
    assert sparse.logits.tolist() == [4.0]


@given(st.lists(st.text("ab .\n", max_size=300), max_size=5), st.integers(1, 4))
def test_windows_cover_every_word_within_the_limits(texts: list[str], max_windows: int) -> None:
    """Otherwise the text is reported as truncated. A text has at most max_windows windows."""
    model = FakeReranker(max_tokens=20)
    limits = LengthLimits(max_tokens=None, max_windows=max_windows)
    scores = score_texts(model, "a", texts, limits=limits)
    ((_, windows),) = model.calls
    assert len(windows) <= max_windows * len(texts)
    covered = {word for window in windows for word in words(window)}
    if not scores.truncated.any():
        assert covered == {word for text in texts for word in words(text)}
    assert scores.scored.all()
