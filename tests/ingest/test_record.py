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
    """All fields except id, text and title are metadata; nulls and empty lists are dropped."""
    values: dict[str, object] = {**GOOD, "title": "Tea", "year": 1999, "tags": ["a", "b"], "none": None, "empty": []}
    assert document(values) == Document("a", "Tea is brewed.", "Tea", {"year": 1999, "tags": ["a", "b"]})


def test_metadata_object_is_merged() -> None:
    """BEIR has metadata in an object of that name; a field outside wins over a field inside."""
    values: dict[str, object] = {**GOOD, "metadata": {"url": "u", "year": 1}, "year": 2}
    assert document(values).metadata == {"url": "u", "year": 2}
    assert document({**GOOD, "metadata": {}}).metadata == {}


def test_plain_metadata_value_is_a_field() -> None:
    """Only an object is merged."""
    assert document({**GOOD, "metadata": "x"}).metadata == {"metadata": "x"}


def test_field_names_are_configurable() -> None:
    """If id, text and title have other names, fields with the default names are metadata."""
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
def test_number_is_a_valid_id(given: object, doc_id: str) -> None:
    """A number becomes its usual decimal form."""
    assert document({**GOOD, "_id": given}).doc_id == doc_id


def test_title_replaces_a_missing_text() -> None:
    """Catalogs have entries with only a title, which becomes the text."""
    assert document({"_id": "a", "title": "Tea", "text": " "}) == Document("a", "Tea")
    assert document({"_id": "a", "title": "Tea"}) == Document("a", "Tea")


def test_nul_becomes_a_space() -> None:
    """Offsets in the text do not change."""
    values: dict[str, object] = {"_id": "a", "text": "a\0b", "title": "c\0d", "m": "e\0f", "l": ["\0g"]}
    assert document(values) == Document("a", "a b", "c d", {"m": "e f", "l": [" g"]})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"text": "t"}, 'field "_id" is missing. Each record must have a unique id'),
        ({"text": "t", "id": 1}, 'field "_id" is missing. Pass --id-field id'),
        ({**GOOD, "_id": None}, 'field "_id" is missing. Each record must have a unique id'),
        ({**GOOD, "_id": True}, 'field "_id" must be a string or a number, got a boolean'),
        ({**GOOD, "_id": ["a"]}, 'field "_id" must be a string or a number, got a list'),
        ({**GOOD, "_id": " "}, "the id is blank. Give each document a unique id"),
        ({**GOOD, "_id": "x" * 501}, "the id must have at most 500 bytes, got 501"),
        ({**GOOD, "_id": "a\0"}, "the id must not contain a NUL character. Remove it"),
        ({**GOOD, "_id": "\ud800"}, "the id is not valid Unicode (lone surrogate at character 0)"),
        ({**GOOD, "text": ""}, "text and title are both blank. Set at least one of them"),
        ({**GOOD, "text": "\0 \n"}, "text and title are both blank. Set at least one of them"),
        ({"_id": "a"}, "text and title are both blank. Set at least one of them"),
        ({**GOOD, "text": 7}, 'field "text" must be a string, got a number'),
        ({**GOOD, "text": {"a": 1}}, 'field "text" must be a string, got an object'),
        ({**GOOD, "title": ["t"]}, 'field "title" must be a string, got a list'),
        ({**GOOD, "text": "a\udfffb"}, "text is not valid Unicode (lone surrogate at character 1)"),
        ({**GOOD, "m": "\ud800"}, 'metadata field "m" is not valid Unicode (lone surrogate at character 0)'),
        ({**GOOD, "m": ["\ud800"]}, 'metadata field "m" is not valid Unicode (lone surrogate at character 0)'),
        ({**GOOD, "\ud800": 1}, "the metadata field '\\ud800' is not valid Unicode (lone surrogate at character 0)"),
        ({**GOOD, "a\0b": 1}, "the metadata field 'a\\x00b' must not contain a NUL character. Remove it"),
    ],
)
def test_rejection_has_a_reason(values: dict[str, object], reason: str) -> None:
    """Every invalid record is rejected with a specific reason."""
    assert rejection(values).reason == reason


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [{"a": 1}], [None], [1, None]])
def test_nested_metadata_is_rejected(value: object) -> None:
    """Metadata is flat: neither store can filter nested values."""
    assert 'metadata field "m": a value must be a string' in rejection({**GOOD, "m": value}).reason


def test_rejection_names_file_line_and_id() -> None:
    """A user can find the invalid record in the corpus."""
    rejected = rejection({**GOOD, "text": 7})
    assert rejected.to_json() == {
        "file": "f",
        "line": 3,
        "doc_id": "a",
        "reason": 'field "text" must be a string, got a number',
    }
    assert str(rejected) == 'f:3: field "text" must be a string, got a number'
    assert rejection({"text": "t"}).doc_id is None
