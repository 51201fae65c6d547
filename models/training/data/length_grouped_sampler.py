"""Random order of the examples in which each batch has examples of similar length.

transformers' LengthGroupedSampler draws its order from the state of torch's generator. This one derives it from seed
and epoch, so that a resumed run gets the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Dataset, Sampler

_GROUP = 50
"""Number of batches that are sorted by length together: few enough to stay random, enough to need little padding."""


class IndexDataset(Dataset[int]):
    """The indices 0 to n - 1. The collator makes a batch from indices, because padding depends on all its texts."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> int:
        return index


class LengthGroupedSampler(Sampler[int]):
    """Sampler of every index once per epoch, in an order that depends only on lengths, seed and epoch."""

    def __init__(self, lengths: Sequence[int], *, batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Selects the epoch of the next iteration. The Trainer calls this, also after a resume."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self._seed, self._epoch])
        order = generator.permutation(len(self._lengths)).tolist()
        size = self._batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), size * _GROUP):
            group = sorted(order[start : start + size * _GROUP], key=lambda index: self._lengths[index])
            batches.extend(group[at : at + size] for at in range(0, len(group), size))
        # The data loader cuts batches by count, so that a shorter batch must be the last one.
        full = [batch for batch in batches if len(batch) == size]
        for number in generator.permutation(len(full)).tolist():
            yield from full[number]
        yield from (index for batch in batches if len(batch) < size for index in batch)
