"""Order of the training examples."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler


@given(
    lengths=st.lists(st.integers(1, 99), min_size=1, max_size=300),
    batch_size=st.integers(1, 16),
    seed=st.integers(0, 9),
)
def test_epoch_has_every_example_once(lengths: list[int], batch_size: int, seed: int) -> None:
    """The rule holds for any lengths."""
    assert sorted(LengthGroupedSampler(lengths, batch_size=batch_size, seed=seed)) == list(range(len(lengths)))


def test_order_depends_on_seed_and_epoch_only() -> None:
    """A run that resumes in the third epoch gets the same batches."""
    lengths = list(range(100))
    order, again = (LengthGroupedSampler(lengths, batch_size=4, seed=1) for _ in range(2))
    first = list(order)
    order.set_epoch(2)
    again.set_epoch(2)
    assert list(order) == list(again) != first


def test_batches_have_similar_lengths() -> None:
    """The range of lengths in a batch is small, so that little padding is needed."""
    draw = random.Random(0)
    lengths = [draw.randint(1, 1000) for _ in range(800)]
    order = list(LengthGroupedSampler(lengths, batch_size=8, seed=0))
    spans = []
    for batch in (order[at : at + 8] for at in range(0, len(order), 8)):
        in_batch = [lengths[index] for index in batch]
        spans.append(max(in_batch) - min(in_batch))
    assert sum(spans) / len(spans) < 50
