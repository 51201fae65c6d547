"""First pass over a corpus: the number of records, and those that a later record with the same id replaces.

With the result, a run writes each id once, with its last content. A second run of the same corpus then finds the same
content hashes in the index and encodes nothing, even if the corpus has several records for one id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.ingest.record import Record, RejectedRecord

_KEY_BYTES = 16
"""Long enough to exclude collisions: of two ids with the same key, one document would be lost."""


@dataclass(frozen=True)
class CorpusScan:
    """Result of the first pass. replaced: bool (documents,), in corpus order."""

    replaced: NDArray[np.bool_]

    @property
    def documents(self) -> int:
        """Number of valid records, including replaced ones."""
        return len(self.replaced)

    @property
    def duplicates(self) -> int:
        """Number of records that a later record with the same id replaces."""
        return int(np.count_nonzero(self.replaced))

    def latest(self, records: Iterable[Record | RejectedRecord]) -> Iterator[Record]:
        """Yields the valid records of a second pass that no later record replaces."""
        position = 0
        for record in records:
            if isinstance(record, Record):
                # A file that has grown since the scan contains more records.
                if position >= len(self.replaced) or not self.replaced[position]:
                    yield record
                position += 1


def scan(records: Iterable[Record | RejectedRecord], *, reject: Callable[[RejectedRecord], None]) -> CorpusScan:
    """Reads *records* once and calls *reject* with each invalid one. Needs 16 bytes of memory per document."""
    keys = bytearray()
    for record in records:
        if isinstance(record, Record):
            keys += hashlib.blake2b(record.document.doc_id.encode(), digest_size=_KEY_BYTES).digest()
        else:
            reject(record)
    return CorpusScan(_replaced(np.frombuffer(bytes(keys), dtype=np.uint64).reshape(-1, 2)))


def _replaced(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    # lexsort is stable: records with the same id stay in corpus order.
    order = np.lexsort((keys[:, 0], keys[:, 1]))
    same_as_next = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    replaced = np.zeros(len(keys), dtype=np.bool_)
    replaced[order[:-1][same_as_next]] = True
    return replaced
