from __future__ import annotations

import numpy as np
import pytest

from rerank.core.blank_texts import blank_texts
from tests.fakes import FakeReranker


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        (" \t\n\u00a0\u2003", True),
        ("tea", False),
        ("\u8336", False),
        ("7", False),
        ("?!", False),
        ("\x00\x07", False),
    ],
)
def test_text_is_blank_without_content(text: str, expected: bool) -> None:
    """Letters, digits and other tokens are content. Whitespace of any kind is not."""
    assert blank_texts(["tea", text], FakeReranker().token_spans).tolist() == [False, expected]


def test_text_without_tokens_is_blank() -> None:
    """Tokenizers drop control and format characters."""

    def no_tokens(texts: object) -> list[np.ndarray[tuple[int, int], np.dtype[np.int32]]]:
        assert texts == ["\u200b", "..."]
        return [np.zeros((0, 2), dtype=np.int32), np.array([[0, 3]], dtype=np.int32)]

    assert blank_texts(["\u200b", "tea", "..."], no_tokens).tolist() == [True, False, False]
