"""The order in which examples are read: random, but those of like length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Dataset, Sampler

_GROUP = 50
"""Batches drawn together and sorted by length: short enough to stay random, long enough to pad little."""


class IndexDataset(Dataset[int]):
    """The places 0 to n - 1: a batch is put together from places, since padding needs all of its texts."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> int:
        return place


class LengthGroupedSampler(Sampler[int]):
    """Every place once an epoch, in an order that seed and epoch decide; each batch of it holds like lengths."""

    def __init__(self, lengths: Sequence[int], *, batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch is read next; a run that goes on reads what it would have read."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        draw = np.random.default_rng([self._seed, self._epoch])
        order = draw.permutation(len(self._lengths)).tolist()
        size = self._batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), size * _GROUP):
            group = sorted(order[start : start + size * _GROUP], key=lambda place: self._lengths[place])
            batches.extend(group[at : at + size] for at in range(0, len(group), size))
        # The loader cuts batches by count, so the one that is cut short must come last.
        whole = [batch for batch in batches if len(batch) == size]
        for at in draw.permutation(len(whole)).tolist():
            yield from whole[at]
        yield from (place for batch in batches if len(batch) < size for place in batch)
