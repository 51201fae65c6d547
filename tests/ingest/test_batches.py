from __future__ import annotations

from rerank.core.document import Document
from rerank.ingest.batches import FIRST_DOCUMENTS, MAX_CHARACTERS, MAX_DOCUMENTS, Batch, batches
from rerank.ingest.record import Record


def records(count: int, *, characters: int = 1) -> list[Record]:
    return [Record("c", line, Document(str(line), "x" * characters)) for line in range(count)]


def test_batch_size_doubles_up_to_the_maximum() -> None:
    """The first batches are small to show early progress; no record is lost or reordered."""
    all_records = records(3000)
    result = list(batches(all_records, position=lambda: 7))
    sizes = [len(batch.records) for batch in result]
    assert sizes == [64, 128, 256, 512, 512, 512, 512, 504]
    assert (sizes[0], max(sizes)) == (FIRST_DOCUMENTS, MAX_DOCUMENTS)
    assert [record for batch in result for record in batch.records] == all_records
    assert {batch.position for batch in result} == {7}


def test_long_documents_end_a_batch() -> None:
    """The number of characters is limited as well."""
    result = list(batches(records(5, characters=MAX_CHARACTERS // 2), position=lambda: 0))
    assert [len(batch.records) for batch in result] == [2, 2, 1]


def test_no_records_yield_no_batch() -> None:
    """An empty corpus yields no empty batch."""
    assert list(batches([], position=lambda: 0)) == []
    assert Batch(tuple(records(1)), 0).documents == [Document("0", "x")]
