from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.batching import batches, distinct

LENGTHS = st.lists(st.integers(0, 600), max_size=60).map(lambda lengths: np.array(lengths, dtype=np.int32))


@given(st.lists(st.sampled_from(["a", "b", "c", "A", ""])))
def test_distinct_texts_give_all_texts_back(texts: list[str]) -> None:
    """Each different text is kept once, in order of first appearance, and the inverse restores the input."""
    different, inverse = distinct(texts)

    assert different == list(dict.fromkeys(texts))
    assert [different[i] for i in inverse.tolist()] == texts


@given(LENGTHS, st.integers(1, 2000))
def test_every_text_is_in_one_batch(lengths: np.ndarray, budget: int) -> None:
    """No position is lost or read twice."""
    found = batches(lengths, budget=budget)

    assert sorted(i for batch in found for i in batch.tolist()) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 2000))
def test_a_batch_stays_within_its_tokens(lengths: np.ndarray, budget: int) -> None:
    """Padded tokens are at most the budget, but for one text that alone is longer."""
    for batch in batches(lengths, budget=budget):
        assert len(batch) == 1 or len(batch) * int(lengths[batch].max()) <= budget


@given(LENGTHS, st.integers(1, 2000))
def test_lengths_fall_from_batch_to_batch(lengths: np.ndarray, budget: int) -> None:
    """Texts of like length stand together: that is what keeps padding small."""
    order = [int(lengths[i]) for batch in batches(lengths, budget=budget) for i in batch.tolist()]

    assert order == sorted(order, reverse=True)


def test_a_full_batch_leaves_no_room_for_one_more() -> None:
    """Batches are filled, not only kept small."""
    found = batches(np.array([10, 20, 10, 10, 10], dtype=np.int32), budget=40)

    assert [batch.tolist() for batch in found] == [[1, 0], [2, 3, 4]]
