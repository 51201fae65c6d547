"""Rules of the first reading."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rerank.core.document import Document
from rerank.ingest.record import Record, RejectedRecord
from rerank.ingest.survey import survey


def record(doc_id: str, line: int) -> Record | RejectedRecord:
    if doc_id == "bad":
        return RejectedRecord("c", line, "bad")
    return Record("c", line, Document(doc_id, f"text {line}"))


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "bad"]), max_size=30))
def test_the_last_record_of_each_id_counts(doc_ids: list[str]) -> None:
    """Rejected ones never stand in for a good one, and are told once."""
    records = [record(doc_id, line) for line, doc_id in enumerate(doc_ids)]
    rejected: list[RejectedRecord] = []
    found = survey(records, rejected=rejected.append)
    last = {doc_id: line for line, doc_id in enumerate(doc_ids) if doc_id != "bad"}
    kept = list(found.last_ones(records))
    assert [(one.document.doc_id, one.line) for one in kept] == sorted(last.items(), key=lambda entry: entry[1])
    assert [one.line for one in rejected] == [line for line, doc_id in enumerate(doc_ids) if doc_id == "bad"]
    assert found.documents == len(doc_ids) - len(rejected)
    assert found.duplicates == found.documents - len(kept)


def test_records_that_came_after_the_survey_are_kept() -> None:
    """A file may grow while it is read."""
    records = [record("a", 1), record("b", 2)]
    found = survey(records[:1], rejected=lambda _: None)
    assert list(found.last_ones(records)) == records
