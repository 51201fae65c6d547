"""Rules for the removal of duplicate texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rerank.models.unique_texts import unique_texts


@given(st.lists(st.sampled_from(["a", "b", "c", "A", ""])))
def test_inverse_restores_the_input(texts: list[str]) -> None:
    """Each distinct text is kept once, in order of first appearance, and the inverse restores the input."""
    unique, inverse = unique_texts(texts)

    assert unique == list(dict.fromkeys(texts))
    assert [unique[i] for i in inverse.tolist()] == texts
