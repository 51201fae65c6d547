from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rerank.core.document import Document
from rerank.ingest.corpus_scan import scan
from rerank.ingest.record import Record, RejectedRecord


def record(doc_id: str, line: int) -> Record | RejectedRecord:
    if doc_id == "bad":
        return RejectedRecord("c", line, "bad")
    return Record("c", line, Document(doc_id, f"text {line}"))


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "bad"]), max_size=30))
def test_last_valid_record_of_each_id_is_kept(doc_ids: list[str]) -> None:
    """An invalid record never replaces a valid one, and is reported once."""
    records = [record(doc_id, line) for line, doc_id in enumerate(doc_ids)]
    rejected: list[RejectedRecord] = []
    result = scan(records, reject=rejected.append)
    last = {doc_id: line for line, doc_id in enumerate(doc_ids) if doc_id != "bad"}
    latest = list(result.latest(records))
    assert [(one.document.doc_id, one.line) for one in latest] == sorted(last.items(), key=lambda entry: entry[1])
    assert [one.line for one in rejected] == [line for line, doc_id in enumerate(doc_ids) if doc_id == "bad"]
    assert result.documents == len(doc_ids) - len(rejected)
    assert result.duplicates == result.documents - len(latest)


def test_records_added_after_the_scan_are_kept() -> None:
    """A file can grow between the passes."""
    records = [record("a", 1), record("b", 2)]
    assert list(scan(records[:1], reject=lambda _: None).latest(records)) == records
