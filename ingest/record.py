"""One record of a corpus: a document, or the reason why it is none."""

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
    """Which fields of a record hold the id, the text and the title. All others but *dropped* are metadata."""

    id: str = "_id"
    text: str = "text"
    title: str = "title"
    dropped: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Record:
    """A document, and the line of the file on which its record begins."""

    file: str
    line: int
    document: Document


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that was left out, and why. `doc_id` is None when it could not be read."""

    file: str
    line: int
    reason: str
    doc_id: str | None = None

    def to_json(self) -> dict[str, object]:
        """A line of the rejects file."""
        return {"file": self.file, "line": self.line, "doc_id": self.doc_id, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


def read_record(values: Mapping[str, object], fields: RecordFields, *, file: str, line: int) -> Record | RejectedRecord:
    """The document that *values* describe. Nulls are left out; an object "metadata" (BEIR) is merged with the rest."""
    doc_id: str | None = None
    try:
        doc_id = _id(values, fields)
        document = Document(
            doc_id,
            text=_string(values, fields.text) or "",
            title=_string(values, fields.title) or "",
            metadata=cast(Metadata, _metadata(values, fields)),  # validated() looks at every value
        )
        return Record(file, line, validated(document))
    except CorpusError as exc:
        return RejectedRecord(file, line, exc.message, doc_id)


def _id(values: Mapping[str, object], fields: RecordFields) -> str:
    value = values.get(fields.id)
    if value is None:
        other = next((name for name in _USUAL_IDS if values.get(name) is not None), None)
        way_out = f'there is "{other}": --id-field {other}' if other else "each record needs an id of its own"
        raise CorpusError(f'field "{fields.id}" is missing; {way_out}')
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CorpusError(f'field "{fields.id}" is {_kind(value)}; an id is a string or a number')
    return str(value)


def _string(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return value
    raise CorpusError(f'field "{name}" is {_kind(value)}, not a string')


def _metadata(values: Mapping[str, object], fields: RecordFields) -> dict[str, object]:
    own = {fields.id, fields.text, fields.title, *fields.dropped}
    rest = {name: value for name, value in values.items() if name not in own}
    nested = rest.get(_BEIR_METADATA)
    if not isinstance(nested, dict):
        return rest
    del rest[_BEIR_METADATA]
    return {name: value for name, value in nested.items() if name not in fields.dropped} | rest


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)
