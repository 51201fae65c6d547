"""Rules for token spans of long texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rerank.core import token_spans as module
from rerank.core.token_spans import token_spans
from tests.fakes import FakeEncoder


class _CountingEncoder(FakeEncoder):
    """Encoder that records the number of characters of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        self.calls.append(sum(map(len, texts)))
        return super().token_spans(texts)


@given(st.lists(st.text(alphabet="ab \n.", max_size=80), max_size=4))
def test_spans_of_cut_texts_equal_those_of_whole_texts(texts: list[str]) -> None:
    """A text without long words is cut between words, so that its tokens do not change."""
    texts = [text if all(len(word) < 20 for word in text.split()) else "" for text in texts]
    encoder = _CountingEncoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CALL_CHARS", 25)
        found = token_spans(encoder, texts, max_tokens=1_000)
    assert [spans.tolist() for spans in found] == [spans.tolist() for spans in FakeEncoder().token_spans(texts)]
    assert all(characters <= 25 for characters in encoder.calls)


def test_text_without_spaces_is_cut_anywhere() -> None:
    """Memory is bounded for every text, and all characters remain covered."""
    encoder = _CountingEncoder()
    (spans,) = token_spans(encoder, ["x" * 125_000], max_tokens=1_000)
    assert encoder.calls == [50_000, 50_000, 25_000]
    assert spans.tolist() == [[0, 50_000], [50_000, 100_000], [100_000, 125_000]]


def test_rest_of_a_text_with_too_many_tokens_is_left_out() -> None:
    """The tokenizer is not called for a text that is rejected anyway; other texts are complete."""
    encoder = _CountingEncoder()
    long, short = token_spans(encoder, ["a " * 1_000_000, "b c"], max_tokens=10)
    assert len(long) > 10
    assert sum(encoder.calls) < 100_010
    assert short.tolist() == [[0, 1], [2, 3]]
