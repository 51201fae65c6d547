"""Records in batches: large ones keep the encoder busy, small ones at first show early that a run is going well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rerank.core.document import Document
from rerank.ingest.record import Record

FIRST_DOCUMENTS = 64
MAX_DOCUMENTS = 512
MAX_CHARACTERS = 2_000_000
"""Bounds memory where documents are long: some 2,000 passages."""


@dataclass(frozen=True)
class Batch:
    """Records of distinct ids, and the bytes of the corpus that had been read when it was full."""

    records: tuple[Record, ...]
    position: int

    @property
    def documents(self) -> list[Document]:
        """In the order of the records."""
        return [record.document for record in self.records]


def batches(records: Iterable[Record], *, position: Callable[[], int]) -> Iterator[Batch]:
    """*records* in order. The number of records doubles from batch to batch up to MAX_DOCUMENTS."""
    waiting: list[Record] = []
    characters, limit = 0, FIRST_DOCUMENTS
    for record in records:
        waiting.append(record)
        characters += len(record.document.text)
        if len(waiting) >= limit or characters >= MAX_CHARACTERS:
            yield Batch(tuple(waiting), position())
            waiting, characters, limit = [], 0, min(2 * limit, MAX_DOCUMENTS)
    if waiting:
        yield Batch(tuple(waiting), position())
