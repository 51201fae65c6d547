"""Rules of one record: what makes it a document, and what is said when it is none."""

from __future__ import annotations

import pytest

from rerank.core.document import Document
from rerank.ingest.record import Record, RecordFields, RejectedRecord, read_record

GOOD = {"_id": "a", "text": "Tea is brewed."}


def document(values: dict[str, object], fields: RecordFields | None = None) -> Document:
    record = read_record(values, fields or RecordFields(), file="f", line=3)
    assert isinstance(record, Record), record
    assert (record.file, record.line) == ("f", 3)
    return record.document


def rejection(values: dict[str, object]) -> RejectedRecord:
    record = read_record(values, RecordFields(), file="f", line=3)
    assert isinstance(record, RejectedRecord), record
    return record


def test_other_fields_are_metadata() -> None:
    """What is not id, text or title is kept as metadata; nulls and empty lists are no values."""
    values: dict[str, object] = {**GOOD, "title": "Tea", "year": 1999, "tags": ["a", "b"], "none": None, "empty": []}
    assert document(values) == Document("a", "Tea is brewed.", "Tea", {"year": 1999, "tags": ["a", "b"]})


def test_an_object_metadata_is_merged() -> None:
    """BEIR keeps metadata in an object of that name; a field beside it wins over one within."""
    values: dict[str, object] = {**GOOD, "metadata": {"url": "u", "year": 1}, "year": 2}
    assert document(values).metadata == {"url": "u", "year": 2}
    assert document({**GOOD, "metadata": {}}).metadata == {}


def test_a_plain_value_named_metadata_is_a_field() -> None:
    """Only an object is merged."""
    assert document({**GOOD, "metadata": "x"}).metadata == {"metadata": "x"}


def test_fields_can_be_named() -> None:
    """The id, text and title may have other names; the usual ones are metadata then."""
    fields = RecordFields(id="key", text="body", title="head", dropped=frozenset({"noise", "inner"}))
    values: dict[str, object] = {
        "key": "a",
        "body": "text",
        "head": "h",
        "text": "other",
        "noise": {"deep": [{}]},
        "metadata": {"inner": {}, "kept": True},
    }
    assert document(values, fields) == Document("a", "text", "h", {"text": "other", "kept": True})


@pytest.mark.parametrize(("given", "doc_id"), [(7, "7"), (7.5, "7.5"), (-1, "-1"), (10**30, "1" + "0" * 30)])
def test_a_number_is_an_id(given: object, doc_id: str) -> None:
    """A number stands for its usual writing."""
    assert document({**GOOD, "_id": given}).doc_id == doc_id


def test_a_title_stands_for_a_missing_text() -> None:
    """Catalogues have entries of a title alone; they are found by it. The title becomes the text."""
    assert document({"_id": "a", "title": "Tea", "text": " "}) == Document("a", "Tea")
    assert document({"_id": "a", "title": "Tea"}) == Document("a", "Tea")


def test_nul_becomes_a_blank() -> None:
    """Offsets stay what they were."""
    values: dict[str, object] = {"_id": "a", "text": "a\0b", "title": "c\0d", "m": "e\0f", "l": ["\0g"]}
    assert document(values) == Document("a", "a b", "c d", {"m": "e f", "l": [" g"]})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"text": "t"}, 'field "_id" is missing; each record needs an id of its own'),
        ({"text": "t", "id": 1}, 'field "_id" is missing; there is "id": --id-field id'),
        ({**GOOD, "_id": None}, 'field "_id" is missing; each record needs an id of its own'),
        ({**GOOD, "_id": True}, 'field "_id" is a boolean; an id is a string or a number'),
        ({**GOOD, "_id": ["a"]}, 'field "_id" is a list; an id is a string or a number'),
        ({**GOOD, "_id": " "}, "the id is blank. Give each document a unique id"),
        ({**GOOD, "_id": "x" * 501}, "the id must have at most 500 bytes, got 501"),
        ({**GOOD, "_id": "a\0"}, "the id contains a NUL character"),
        ({**GOOD, "_id": "\ud800"}, "the id is not valid Unicode (lone surrogate at character 0)"),
        ({**GOOD, "text": ""}, "text and title are both blank"),
        ({**GOOD, "text": "\0 \n"}, "text and title are both blank"),
        ({"_id": "a"}, "text and title are both blank"),
        ({**GOOD, "text": 7}, 'field "text" is a number, not a string'),
        ({**GOOD, "text": {"a": 1}}, 'field "text" is an object, not a string'),
        ({**GOOD, "title": ["t"]}, 'field "title" is a list, not a string'),
        ({**GOOD, "text": "a\udfffb"}, "text is not valid Unicode (lone surrogate at character 1)"),
        ({**GOOD, "m": "\ud800"}, 'metadata field "m" is not valid Unicode (lone surrogate at character 0)'),
        ({**GOOD, "m": ["\ud800"]}, 'metadata field "m" is not valid Unicode (lone surrogate at character 0)'),
        ({**GOOD, "\ud800": 1}, "the metadata field '\\ud800' is not valid Unicode (lone surrogate at character 0)"),
        ({**GOOD, "a\0b": 1}, "the metadata field 'a\\x00b' contains a NUL character"),
    ],
)
def test_the_reason_says_what_is_wrong(values: dict[str, object], reason: str) -> None:
    """Each record that is no document is left out with a sentence that says why."""
    assert rejection(values).reason == reason


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [{"a": 1}], [None], [1, None]])
def test_nested_metadata_is_refused(value: object) -> None:
    """Metadata is flat: neither store can filter on what is nested."""
    assert 'metadata field "m": a value must be a string' in rejection({**GOOD, "m": value}).reason


def test_a_rejection_names_its_place_and_id() -> None:
    """Whoever mends the corpus finds the line."""
    rejected = rejection({**GOOD, "text": 7})
    assert rejected.to_json() == {
        "file": "f",
        "line": 3,
        "doc_id": "a",
        "reason": 'field "text" is a number, not a string',
    }
    assert str(rejected) == 'f:3: field "text" is a number, not a string'
    assert rejection({"text": "t"}).doc_id is None
