"""Rules of the rejects file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank.core.errors import CorpusError, StoreFull
from rerank.ingest.record import RejectedRecord
from rerank.ingest.rejects import MAX_EXAMPLES, Rejects


def test_every_rejected_record_is_a_line(tmp_path: Path) -> None:
    """Begun anew by each run; an id that is no Unicode is written escaped."""
    path = tmp_path / "rejects.jsonl"
    path.write_text("of an earlier run\n")
    records = [RejectedRecord("c", 1, "no id"), RejectedRecord("c", 2, "blank", "\ud800")]
    with Rejects(path) as rejects:
        for record in records:
            rejects.add(record)
        rejects.flush()
        assert [json.loads(line) for line in path.read_text().splitlines()] == [one.to_json() for one in records]
    assert (rejects.count, rejects.examples) == (2, records)


def test_without_a_file_a_few_are_kept() -> None:
    """A run without --rejects still says what was wrong."""
    with Rejects(None) as rejects:
        for line in range(100):
            rejects.add(RejectedRecord("c", line, "bad"))
        rejects.flush()
    assert rejects.count == 100
    assert [record.line for record in rejects.examples] == list(range(MAX_EXAMPLES))


def test_a_second_beginning_forgets_what_the_first_rejected(tmp_path: Path) -> None:
    """Each record is written down once, however often a run begins."""
    path = tmp_path / "rejects.jsonl"
    before, after = RejectedRecord("c", 1, "unreadable"), RejectedRecord("c", 2, "refused")
    with Rejects(path) as rejects:
        rejects.add(before)
        mark = rejects.mark()
        for _ in range(3):
            rejects.forget_since(mark)
            rejects.add(after)
    assert (rejects.count, rejects.examples) == (2, [before, after])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [before.to_json(), after.to_json()]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Said before anything is read."""
    with (
        pytest.raises(CorpusError, match="the rejects file cannot be written: No such file"),
        Rejects(tmp_path / "none" / "rejects"),
    ):
        pass


def test_a_full_disk_is_an_error() -> None:
    """What cannot be written down must not be lost in silence."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")

    def write() -> None:
        with Rejects(full) as rejects:
            rejects.add(RejectedRecord("c", 1, "bad"))
            rejects.flush()

    with pytest.raises(StoreFull, match="no space is left for the rejects file"):
        write()
