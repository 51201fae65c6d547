"""The order in which examples are read."""

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
def test_every_example_is_read_once_an_epoch(lengths: list[int], batch_size: int, seed: int) -> None:
    """Whatever the lengths: none twice, none left out."""
    assert sorted(LengthGroupedSampler(lengths, batch_size=batch_size, seed=seed)) == list(range(len(lengths)))


def test_an_epochs_order_depends_on_seed_and_epoch_alone() -> None:
    """A run that goes on in the third epoch reads what it would have read."""
    lengths = list(range(100))
    order, again = (LengthGroupedSampler(lengths, batch_size=4, seed=1) for _ in range(2))
    first = list(order)
    order.set_epoch(2)
    again.set_epoch(2)
    assert list(order) == list(again) != first


def test_batches_hold_like_lengths() -> None:
    """Padding costs as much as text: a batch spans a small part of all lengths."""
    draw = random.Random(0)
    lengths = [draw.randint(1, 1000) for _ in range(800)]
    places = list(LengthGroupedSampler(lengths, batch_size=8, seed=0))
    spans = []
    for batch in (places[at : at + 8] for at in range(0, len(places), 8)):
        read = [lengths[place] for place in batch]
        spans.append(max(read) - min(read))
    assert sum(spans) / len(spans) < 50
