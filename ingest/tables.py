"""Reads a corpus of rows: CSV with quotes, or tab-separated values, one row a line.

The first line names the columns; a column without a name is left out. Every value is a string, and an empty one is
no value.
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
"""Spreadsheets write semicolons where the comma is the decimal sign."""


@dataclass(frozen=True, slots=True)
class _Row:
    """The values of one row, which begins on line `number`, or what is wrong with it."""

    number: int
    values: Sequence[str] = ()
    problem: str = ""


def read_csv(lines: Iterable[Line], fields: RecordFields, *, file: str) -> Iterator[Record | RejectedRecord]:
    """The record in each row. Raises CorpusError when the first line does not name the columns that are needed."""
    source = iter(lines)
    header = next(source, None)
    if header is None:
        return
    delimiter = _delimiter(header, fields)
    columns = _columns(next(_csv_rows(iter([header]), delimiter)), fields, file)
    yield from _records(_csv_rows(source, delimiter), columns, fields, file)


def read_tsv(lines: Iterable[Line], fields: RecordFields, *, file: str) -> Iterator[Record | RejectedRecord]:
    """As read_csv; a quote is an ordinary character unless a pair of them encloses a whole value."""
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
        return f"{len(row.values)} values where the first line names {len(columns)} columns"
    for name, value in zip(columns, row.values, strict=True):
        if not _is_unicode(value):
            return f'column "{name}" is not UTF-8'
    return ""


def _columns(header: _Row, fields: RecordFields, file: str) -> Sequence[str]:
    if header.problem:
        raise CorpusError(f"{file}:{header.number}: {header.problem}")
    columns = [name.strip() for name in header.values]
    if not all(map(_is_unicode, columns)):
        raise CorpusError(f"{file}:{header.number}: the names of the columns are not UTF-8; save the file as UTF-8")
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise CorpusError(f'{file}:{header.number}: two columns are named "{twice}"; rename one')
    for name, flag in ((fields.id, "--id-field"), (fields.text, "--text-field")):
        if name not in columns:
            there = ", ".join(f'"{column}"' for column in columns if column)
            raise CorpusError(
                f'{file}:{header.number}: no column is named "{name}"; there are {there or "none"}: '
                f"name one with {flag}"
            )
    return columns


def _is_unicode(text: str) -> bool:
    """False where _text() met bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(content: bytes) -> str:
    return content.decode(errors="surrogateescape")


def _too_long(line: Line) -> _Row:
    return _Row(line.number, problem=f"the line is longer than {MAX_LINE_BYTES:,} bytes")


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
    """The sign between the values: the first of the usual ones by which the needed columns are found."""
    for delimiter in _DELIMITERS:
        columns = [name.strip() for name in next(_csv_rows(iter([header]), delimiter)).values]
        if fields.id in columns and fields.text in columns:
            return delimiter
    return _DELIMITERS[0]


def _csv_rows(lines: Iterator[Line], delimiter: str) -> Iterator[_Row]:
    """Rows of quoted values, which may run over lines.

    A row that cannot be read gives up only its first line: a quote that is never closed must not swallow the rest.
    """
    # The limit is one for the whole process; its default refuses a text of a megabyte.
    csv.field_size_limit(MAX_LINE_BYTES)
    waiting: deque[Line] = deque()
    while True:
        used: list[Line] = []
        try:
            values = next(csv.reader(_take(waiting, lines, used), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as exc:
            waiting.extendleft(reversed(used[1:]))
            yield _too_long(used[0]) if used[0].content is None else _Row(used[0].number, problem=f"not CSV: {exc}")
        else:
            yield _Row(used[0].number, values)


def _take(waiting: deque[Line], lines: Iterator[Line], used: list[Line]) -> Iterator[str]:
    """The next lines as text, noted in *used*."""
    while line := (waiting.popleft() if waiting else next(lines, None)):
        used.append(line)
        if line.content is None:
            raise csv.Error("a line is too long")
        yield _text(line.content)
