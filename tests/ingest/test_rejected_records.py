from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank.core.errors import CorpusError, StoreFull
from rerank.ingest.record import RejectedRecord
from rerank.ingest.rejected_records import MAX_EXAMPLES, RejectedRecords


def test_file_lists_every_rejected_record(tmp_path: Path) -> None:
    """A run overwrites the file of an earlier run; an id that is invalid Unicode is written escaped."""
    path = tmp_path / "rejects.jsonl"
    path.write_text("of an earlier run\n")
    records = [RejectedRecord("c", 1, "no id"), RejectedRecord("c", 2, "blank", "\ud800")]
    with RejectedRecords(path) as rejected:
        for record in records:
            rejected.add(record)
        rejected.flush()
        assert [json.loads(line) for line in path.read_text().splitlines()] == [one.to_json() for one in records]
    assert (rejected.count, rejected.examples) == (2, records)


def test_first_records_are_kept_as_examples() -> None:
    """A run without --rejects can still report reasons."""
    with RejectedRecords(None) as rejected:
        for line in range(100):
            rejected.add(RejectedRecord("c", line, "bad"))
        rejected.flush()
    assert rejected.count == 100
    assert [record.line for record in rejected.examples] == list(range(MAX_EXAMPLES))


def test_roll_back_removes_the_records_after_the_checkpoint(tmp_path: Path) -> None:
    """Each record is listed once, also if a run repeats its second pass."""
    path = tmp_path / "rejects.jsonl"
    before, after = RejectedRecord("c", 1, "unreadable"), RejectedRecord("c", 2, "refused")
    with RejectedRecords(path) as rejected:
        rejected.add(before)
        count = rejected.checkpoint()
        for _ in range(3):
            rejected.roll_back(count)
            rejected.add(after)
    assert (rejected.count, rejected.examples) == (2, [before, after])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [before.to_json(), after.to_json()]


def test_unwritable_file_is_refused(tmp_path: Path) -> None:
    """The file is opened before the corpus is read."""
    with (
        pytest.raises(CorpusError, match="cannot write the rejected records: No such file"),
        RejectedRecords(tmp_path / "none" / "rejects"),
    ):
        pass


def test_full_disk_raises_store_full() -> None:
    """A rejected record is never lost silently."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")

    def write() -> None:
        with RejectedRecords(full) as rejected:
            rejected.add(RejectedRecord("c", 1, "bad"))
            rejected.flush()

    with pytest.raises(StoreFull, match="no space left on the disk for the rejected records"):
        write()
