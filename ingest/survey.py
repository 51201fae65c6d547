"""A first reading of a corpus: are there records, and which of them does a later one of the same id replace?

Knowing this beforehand, a run writes each id once and with its last content. Run again, every content hash is the
one in the index, and nothing is encoded twice, even when the corpus says different things of one id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.ingest.record import Record, RejectedRecord

_KEY_BYTES = 16
"""Wide enough that no two ids share a key by chance: a shared one would lose a document."""


@dataclass(frozen=True)
class Survey:
    """What the first reading found. replaced: bool (documents,), in the order of the corpus."""

    replaced: NDArray[np.bool_]

    @property
    def documents(self) -> int:
        """Records that can be read, those that are replaced included."""
        return len(self.replaced)

    @property
    def duplicates(self) -> int:
        """Records that a later one of the same id replaces."""
        return int(np.count_nonzero(self.replaced))

    def last_ones(self, records: Iterable[Record | RejectedRecord]) -> Iterator[Record]:
        """The records of a second reading that count: those that can be read and are the last of their id."""
        position = 0
        for record in records:
            if isinstance(record, Record):
                # A file that has grown meanwhile holds more records than were surveyed.
                if position >= len(self.replaced) or not self.replaced[position]:
                    yield record
                position += 1


def survey(records: Iterable[Record | RejectedRecord], *, rejected: Callable[[RejectedRecord], None]) -> Survey:
    """Read *records* once, in 16 bytes a document. *rejected* is told of each record that cannot be read."""
    keys = bytearray()
    for record in records:
        if isinstance(record, Record):
            keys += hashlib.blake2b(record.document.doc_id.encode(), digest_size=_KEY_BYTES).digest()
        else:
            rejected(record)
    return Survey(_replaced(np.frombuffer(bytes(keys), dtype=np.uint64).reshape(-1, 2)))


def _replaced(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    # Stable: records of one id stay in the order of the corpus.
    order = np.lexsort((keys[:, 0], keys[:, 1]))
    same_as_next = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    replaced = np.zeros(len(keys), dtype=np.bool_)
    replaced[order[:-1][same_as_next]] = True
    return replaced
