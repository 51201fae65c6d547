from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rerank.models.unique_texts import unique_texts


@given(st.lists(st.sampled_from(["a", "b", "c", "A", ""])))
def test_distinct_texts_give_all_texts_back(texts: list[str]) -> None:
    """Each different text is kept once, in order of first appearance, and the inverse restores the input."""
    different, inverse = unique_texts(texts)

    assert different == list(dict.fromkeys(texts))
    assert [different[i] for i in inverse.tolist()] == texts
