"""Records of a corpus: valid documents and rejected records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from rerank.core.document import Document, Metadata
from rerank.core.errors import CorpusError
from rerank.core.indexing import validated

_BEIR_METADATA = "metadata"
_USUAL_IDS = ("_id", "id", "doc_id", "docid", "pid")


@dataclass(frozen=True, slots=True)
class RecordFields:
    """Names of the id, text and title fields. All other fields except *dropped* are metadata."""

    id: str = "_id"
    text: str = "text"
    title: str = "title"
    dropped: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Record:
    """Document with the file and the line where its record starts."""

    file: str
    line: int
    document: Document


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """Rejected record with the reason. doc_id: None if it is missing or invalid."""

    file: str
    line: int
    reason: str
    doc_id: str | None = None

    def to_json(self) -> dict[str, object]:
        """Returns the entry for the file of rejected records."""
        return {"file": self.file, "line": self.line, "doc_id": self.doc_id, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


def read_record(values: Mapping[str, object], fields: RecordFields, *, file: str, line: int) -> Record | RejectedRecord:
    """Returns the record with *values*. Drops nulls, and merges an object "metadata" (BEIR) with the other fields."""
    doc_id: str | None = None
    try:
        doc_id = _id(values, fields)
        document = Document(
            doc_id,
            text=_string(values, fields.text) or "",
            title=_string(values, fields.title) or "",
            metadata=cast(Metadata, _metadata(values, fields)),  # validated() checks every value
        )
        return Record(file, line, validated(document))
    except CorpusError as exc:
        return RejectedRecord(file, line, exc.message, doc_id)


def _id(values: Mapping[str, object], fields: RecordFields) -> str:
    value = values.get(fields.id)
    if value is None:
        other = next((name for name in _USUAL_IDS if values.get(name) is not None), None)
        hint = f"Pass --id-field {other}" if other else "Each record must have a unique id"
        raise CorpusError(f'field "{fields.id}" is missing. {hint}')
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CorpusError(f'field "{fields.id}" must be a string or a number, got {_json_type(value)}')
    return str(value)


def _string(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return value
    raise CorpusError(f'field "{name}" must be a string, got {_json_type(value)}')


def _metadata(values: Mapping[str, object], fields: RecordFields) -> dict[str, object]:
    excluded = {fields.id, fields.text, fields.title, *fields.dropped}
    metadata = {name: value for name, value in values.items() if name not in excluded}
    nested = metadata.get(_BEIR_METADATA)
    if not isinstance(nested, dict):
        return metadata
    del metadata[_BEIR_METADATA]
    return {name: value for name, value in nested.items() if name not in fields.dropped} | metadata


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)
