"""How documents lie in a table: one row a passage, the whole document in the first of its rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rerank.core.bound_filter import millis_of_date
from rerank.core.document import Document, EncodedDocument, Passage, Scalar
from rerank.core.metadata import MAX_KEYWORD_CHARS, FieldType, values_of
from rerank.core.protocols import PassageMatch
from rerank.index.embedded.predicate import column_of

PASSAGE_COLUMNS = ["row_id", "headed", "title_chars", "start"]
"""As few as there can be: each one is a read of its own for each candidate."""
DOCUMENT_COLUMNS = ["headed", "title_chars", "document_text", "metadata_json"]

_TYPES = {
    FieldType.STRING: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.int64(),
}


def table_schema(dim: int) -> pa.Schema:
    """The columns of a new table.

    `row_id` is ordinal, #, doc_id. `headed` is title, blank, text; what is searched and what is shown lie in it.
    """
    return pa.schema(
        [
            pa.field("row_id", pa.string(), nullable=False),
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("ordinal", pa.int32(), nullable=False),
            pa.field("headed", pa.string(), nullable=False),
            pa.field("title_chars", pa.int32(), nullable=False),
            pa.field("start", pa.int32(), nullable=False),
            pa.field("document_text", pa.string()),
            pa.field("metadata_json", pa.string()),
            pa.field("content_hash", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def metadata_column(name: str, kind: FieldType) -> pa.Field:
    """The column of a metadata field: a list, for a field may have several values."""
    return pa.field(column_of(name), pa.list_(_TYPES[kind]))


def rows_of(documents: Sequence[EncodedDocument], types: Mapping[str, FieldType], schema: pa.Schema) -> pa.Table:
    """The rows of *documents* in the columns of *schema*."""
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    vectors = []
    for entry in documents:
        metadata = {column_of(name): _values(value, types[name]) for name, value in entry.document.metadata.items()}
        for passage in entry.passages:
            row = {**_row(entry, passage), **metadata}
            for name, column in columns.items():
                if name != "vector":
                    column.append(row.get(name))
        vectors.append(entry.vectors)
    flat = np.concatenate(vectors).astype(np.float32, copy=False)
    dim = schema.field("vector").type.list_size
    arrays = [
        pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), dim)
        if field.name == "vector"
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def matches_of(rows: pa.Table, scores: Sequence[float]) -> list[PassageMatch]:
    """The passages of *rows*, which hold PASSAGE_COLUMNS, each with its score."""
    found = rows.select(PASSAGE_COLUMNS).to_pylist()
    return [PassageMatch(_passage_of(row), score) for row, score in zip(found, scores, strict=True)]


def document_of(row: Mapping[str, Any]) -> Document:
    """The document whose first row this is."""
    title, text = _parts(row)
    whole = text if row["document_text"] is None else row["document_text"]
    return Document(doc_id_of(row), whole, title, json.loads(row["metadata_json"]))


def first_row_id(doc_id: str) -> str:
    """The `row_id` of a document's first row."""
    return _row_id(0, doc_id)


def doc_id_of(row: Mapping[str, Any]) -> str:
    """The document that a row belongs to."""
    return str(row["row_id"].partition("#")[2])


def cosines(column: Any, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (rows,), in [-1, 1], of *vector* (dim,), which is not all zero, and each row of a column `vector`."""
    rows = column.combine_chunks().flatten().to_numpy().reshape(-1, len(vector))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    # A row of zeros has no direction: its cosine is 0, not nan.
    found: NDArray[np.float32] = np.clip(rows @ vector / np.maximum(lengths, np.finfo(np.float32).tiny), -1, 1)
    return found


def _passage_of(row: Mapping[str, Any]) -> Passage:
    title, text = _parts(row)
    ordinal, _, doc_id = row["row_id"].partition("#")
    return Passage(doc_id, int(ordinal), title, text, row["start"], row["start"] + len(text))


def _row_id(ordinal: int, doc_id: str) -> str:
    return f"{ordinal}#{doc_id}"


def _row(entry: EncodedDocument, passage: Passage) -> dict[str, Any]:
    document = entry.document
    first = passage is entry.passages[0]
    whole = len(entry.passages) == 1 and passage.text == document.text
    return {
        "row_id": _row_id(passage.ordinal, document.doc_id),
        "doc_id": document.doc_id,
        "ordinal": passage.ordinal,
        "headed": f"{document.title} {passage.text}",
        "title_chars": len(document.title),
        "start": passage.start,
        "document_text": document.text if first and not whole else None,
        "metadata_json": json.dumps(dict(document.metadata)) if first else None,
        "content_hash": entry.content_hash if first else None,
    }


def _parts(row: Mapping[str, Any]) -> tuple[str, str]:
    headed, length = row["headed"], row["title_chars"]
    return headed[:length], headed[length + 1 :]


def _values(value: Any, kind: FieldType) -> list[Scalar] | None:
    stored = [_stored(member, kind) for member in values_of(value) if not _too_long(member)]
    return stored or None


def _too_long(value: Scalar) -> bool:
    return isinstance(value, str) and len(value) > MAX_KEYWORD_CHARS


def _stored(value: Scalar, kind: FieldType) -> Scalar:
    if kind is FieldType.NUMBER:
        return float(value)
    return millis_of_date(str(value)) if kind is FieldType.DATE else value
