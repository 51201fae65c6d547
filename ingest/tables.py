"""Reader of CSV files with quotes and of tab-separated files.

The first line has the column names; columns without a name are ignored. All values are strings; empty ones are dropped.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rerank.core.errors import CorpusError
from rerank.ingest.lines import MAX_LINE_BYTES, Line
from rerank.ingest.record import Record, RecordFields, RejectedRecord, read_record

_DELIMITERS = ",;\t"
"""Spreadsheets write semicolons in locales with a decimal comma."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Row that starts on line `number`: its values, or the problem with it."""

    number: int
    values: Sequence[str] = ()
    problem: str = ""


def read_csv(lines: Iterable[Line], fields: RecordFields, *, file: str) -> Iterator[Record | RejectedRecord]:
    """Yields the record of each row. Raises CorpusError if the first line lacks a required column."""
    source = iter(lines)
    header = next(source, None)
    if header is None:
        return
    delimiter = _delimiter(header, fields)
    columns = _columns(next(_csv_rows(iter([header]), delimiter)), fields, file)
    yield from _records(_csv_rows(source, delimiter), columns, fields, file)


def read_tsv(lines: Iterable[Line], fields: RecordFields, *, file: str) -> Iterator[Record | RejectedRecord]:
    """Yields records like read_csv(). A quote is an ordinary character unless a pair encloses the whole value."""
    rows = map(_tsv_row, lines)
    header = next(rows, None)
    if header is None:
        return
    yield from _records(rows, _columns(header, fields, file), fields, file)


def _records(
    rows: Iterable[_Row], columns: Sequence[str], fields: RecordFields, file: str
) -> Iterator[Record | RejectedRecord]:
    for row in rows:
        if not row.problem and not any(value.strip() for value in row.values):
            continue
        problem = row.problem or _problem(row, columns)
        if problem:
            yield RejectedRecord(file, row.number, problem)
            continue
        values = {name: value or None for name, value in zip(columns, row.values, strict=True) if name}
        yield read_record(values, fields, file=file, line=row.number)


def _problem(row: _Row, columns: Sequence[str]) -> str:
    if len(row.values) != len(columns):
        return f"the row must have {len(columns)} values, got {len(row.values)}"
    for name, value in zip(columns, row.values, strict=True):
        if not _is_unicode(value):
            return f'column "{name}" must be UTF-8'
    return ""


def _columns(header: _Row, fields: RecordFields, file: str) -> Sequence[str]:
    if header.problem:
        raise CorpusError(f"{file}:{header.number}: {header.problem}")
    columns = [name.strip() for name in header.values]
    if not all(map(_is_unicode, columns)):
        raise CorpusError(f"{file}:{header.number}: the column names must be UTF-8. Save the file as UTF-8.")
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise CorpusError(f'{file}:{header.number}: column names must be unique, got "{twice}" twice. Rename one.')
    for name, flag in ((fields.id, "--id-field"), (fields.text, "--text-field")):
        if name not in columns:
            listed = ", ".join(f'"{column}"' for column in columns if column)
            raise CorpusError(
                f'{file}:{header.number}: column "{name}" is missing, got {listed or "no columns"}. '
                f"Pass the name of the column with {flag}."
            )
    return columns


def _is_unicode(text: str) -> bool:
    """Returns False if _text() replaced bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(content: bytes) -> str:
    return content.decode(errors="surrogateescape")


def _too_long(line: Line) -> _Row:
    return _Row(line.number, problem=f"the line must be at most {MAX_LINE_BYTES:,} bytes long")


def _tsv_row(line: Line) -> _Row:
    if line.content is None:
        return _too_long(line)
    return _Row(line.number, [_unquoted(value) for value in _text(line.content).rstrip("\r\n").split("\t")])


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    inner = value[1:-1]
    return value if '"' in inner.replace('""', "") else inner.replace('""', '"')


def _delimiter(header: Line, fields: RecordFields) -> str:
    """Returns the first usual delimiter with which the header has the required columns."""
    for delimiter in _DELIMITERS:
        columns = [name.strip() for name in next(_csv_rows(iter([header]), delimiter)).values]
        if fields.id in columns and fields.text in columns:
            return delimiter
    return _DELIMITERS[0]


def _csv_rows(lines: Iterator[Line], delimiter: str) -> Iterator[_Row]:
    """Yields rows of quoted values, which can span several lines.

    Only the first line of an invalid row is dropped: an unclosed quote must not consume the rest of the file.
    """
    # The limit applies to the whole process; the default of 128 KiB is too low for long texts.
    csv.field_size_limit(MAX_LINE_BYTES)
    pending: deque[Line] = deque()
    while True:
        used: list[Line] = []
        try:
            values = next(csv.reader(_take(pending, lines, used), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as exc:
            pending.extendleft(reversed(used[1:]))
            yield (
                _too_long(used[0]) if used[0].content is None else _Row(used[0].number, problem=f"not valid CSV: {exc}")
            )
        else:
            yield _Row(used[0].number, values)


def _take(pending: deque[Line], lines: Iterator[Line], used: list[Line]) -> Iterator[str]:
    """Yields the next lines as text and appends them to *used*."""
    while line := (pending.popleft() if pending else next(lines, None)):
        used.append(line)
        if line.content is None:
            raise csv.Error("a line is too long")
        yield _text(line.content)
