"""Batches of records: the first ones are small to show early progress, later ones large to keep the encoder busy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rerank.core.document import Document
from rerank.ingest.record import Record

FIRST_DOCUMENTS = 64
MAX_DOCUMENTS = 512
MAX_CHARACTERS = 2_000_000
"""Limit of memory for long documents: about 2,000 passages."""


@dataclass(frozen=True)
class Batch:
    """Records with distinct ids. position: number of corpus bytes up to the end of the batch."""

    records: tuple[Record, ...]
    position: int

    @property
    def documents(self) -> list[Document]:
        """Documents in the order of the records."""
        return [record.document for record in self.records]


def batches(records: Iterable[Record], *, position: Callable[[], int]) -> Iterator[Batch]:
    """Yields *records* in batches, in order. The batch size doubles up to MAX_DOCUMENTS.

    position: function that returns the number of corpus bytes read so far.
    """
    pending: list[Record] = []
    characters, limit = 0, FIRST_DOCUMENTS
    for record in records:
        pending.append(record)
        characters += len(record.document.text)
        if len(pending) >= limit or characters >= MAX_CHARACTERS:
            yield Batch(tuple(pending), position())
            pending, characters, limit = [], 0, min(2 * limit, MAX_DOCUMENTS)
    if pending:
        yield Batch(tuple(pending), position())
