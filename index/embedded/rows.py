"""Conversion between documents and table rows: one row per passage; the first row also contains the document."""

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
from rerank.index.embedded.sql_filter import column_of

PASSAGE_COLUMNS = ["row_id", "headed", "title_chars", "start"]
"""As few columns as possible, because LanceDB fetches each column of each candidate separately."""
DOCUMENT_COLUMNS = ["headed", "title_chars", "document_text", "metadata_json"]

_LONG_VALUES = {"lance-encoding:dict-divisor": "1000000000"}
"""Disables Lance's dictionaries for these columns. With equal texts of 7 MB, a dictionary is decoded to 4,096 copies:
the allocation of 28 GB ends the process."""

_TYPES = {
    FieldType.STRING: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.int64(),
}


def table_schema(dim: int) -> pa.Schema:
    """Returns the schema of a new table for vectors of length *dim*.

    `row_id` is `<ordinal>#<doc_id>`. `headed` is the title, a space and the passage; text searches match it.
    """
    return pa.schema(
        [
            pa.field("row_id", pa.string(), nullable=False),
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("ordinal", pa.int32(), nullable=False),
            pa.field("headed", pa.string(), nullable=False),
            pa.field("title_chars", pa.int32(), nullable=False),
            pa.field("start", pa.int32(), nullable=False),
            pa.field("document_text", pa.string(), metadata=_LONG_VALUES),
            pa.field("metadata_json", pa.string(), metadata=_LONG_VALUES),
            pa.field("content_hash", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def metadata_column(name: str, kind: FieldType) -> pa.Field:
    """Returns the column of a metadata field: a list, because a field can have several values."""
    return pa.field(column_of(name), pa.list_(_TYPES[kind]))


def rows_of(documents: Sequence[EncodedDocument], types: Mapping[str, FieldType], schema: pa.Schema) -> pa.Table:
    """Returns the rows of *documents* with the columns of *schema*."""
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
    """Returns the passages in *rows*, which have PASSAGE_COLUMNS, with their *scores*."""
    passages = map(_passage_of, rows.select(PASSAGE_COLUMNS).to_pylist())
    return [PassageMatch(passage, score) for passage, score in zip(passages, scores, strict=True)]


def document_of(row: Mapping[str, Any]) -> Document:
    """Returns the document in *row*, its first row."""
    title, passage = _split_title(row)
    text = passage if row["document_text"] is None else row["document_text"]
    return Document(doc_id_of(row), text, title, json.loads(row["metadata_json"]))


def first_row_id(doc_id: str) -> str:
    """Returns the `row_id` of a document's first row."""
    return _row_id(0, doc_id)


def doc_id_of(row: Mapping[str, Any]) -> str:
    """Returns the id of the document of *row*."""
    return str(row["row_id"].partition("#")[2])


def cosines(column: Any, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the cosines, float32 (rows,) in [-1, 1], of the nonzero *vector* (dim,) and each row of *column*."""
    rows = column.combine_chunks().flatten().to_numpy().reshape(-1, len(vector))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    # The cosine of a zero vector is 0, not NaN.
    result: NDArray[np.float32] = np.clip(rows @ vector / np.maximum(lengths, np.finfo(np.float32).tiny), -1, 1)
    return result


def _passage_of(row: Mapping[str, Any]) -> Passage:
    title, text = _split_title(row)
    ordinal, _, doc_id = row["row_id"].partition("#")
    return Passage(doc_id, int(ordinal), title, text, row["start"], row["start"] + len(text))


def _row_id(ordinal: int, doc_id: str) -> str:
    return f"{ordinal}#{doc_id}"


def _row(entry: EncodedDocument, passage: Passage) -> dict[str, Any]:
    document = entry.document
    first = passage is entry.passages[0]
    single = len(entry.passages) == 1 and passage.text == document.text
    return {
        "row_id": _row_id(passage.ordinal, document.doc_id),
        "doc_id": document.doc_id,
        "ordinal": passage.ordinal,
        "headed": f"{document.title} {passage.text}",
        "title_chars": len(document.title),
        "start": passage.start,
        # Not null in other rows: Lance stores one value among nulls once, and copies it into every row when it reads
        # the column. A text of 2 MB in 2,000 rows would exceed the limits of Arrow.
        "document_text": (None if single else document.text) if first else "",
        "metadata_json": json.dumps(dict(document.metadata)) if first else "",
        "content_hash": entry.content_hash if first else "",
    }


def _split_title(row: Mapping[str, Any]) -> tuple[str, str]:
    headed, length = row["headed"], row["title_chars"]
    return headed[:length], headed[length + 1 :]


def _values(value: Any, kind: FieldType) -> list[Scalar] | None:
    return [_column_value(member, kind) for member in values_of(value) if not _too_long(member)] or None


def _too_long(value: Scalar) -> bool:
    return isinstance(value, str) and len(value) > MAX_KEYWORD_CHARS


def _column_value(value: Scalar, kind: FieldType) -> Scalar:
    if kind is FieldType.NUMBER:
        # LanceDB orders -0.0 before 0.0; the sum is 0.0.
        return float(value) + 0.0
    return millis_of_date(str(value)) if kind is FieldType.DATE else value
