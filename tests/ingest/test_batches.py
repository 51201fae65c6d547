"""Rules of batching."""

from __future__ import annotations

from rerank.core.document import Document
from rerank.ingest.batches import FIRST_DOCUMENTS, MAX_CHARACTERS, MAX_DOCUMENTS, Batch, batches
from rerank.ingest.record import Record


def records(count: int, *, characters: int = 1) -> list[Record]:
    return [Record("c", line, Document(str(line), "x" * characters)) for line in range(count)]


def test_batches_grow_to_the_full_size() -> None:
    """The first are small, so that a run shows early that it goes well; nothing is lost or reordered."""
    all_records = records(3000)
    found = list(batches(all_records, position=lambda: 7))
    sizes = [len(batch.records) for batch in found]
    assert sizes == [64, 128, 256, 512, 512, 512, 512, 504]
    assert (sizes[0], max(sizes)) == (FIRST_DOCUMENTS, MAX_DOCUMENTS)
    assert [record for batch in found for record in batch.records] == all_records
    assert {batch.position for batch in found} == {7}


def test_long_documents_make_small_batches() -> None:
    """Memory is bounded by characters as well."""
    found = list(batches(records(5, characters=MAX_CHARACTERS // 2), position=lambda: 0))
    assert [len(batch.records) for batch in found] == [2, 2, 1]


def test_no_records_make_no_batch() -> None:
    """Not even an empty one."""
    assert list(batches([], position=lambda: 0)) == []
    assert Batch(tuple(records(1)), 0).documents == [Document("0", "x")]
