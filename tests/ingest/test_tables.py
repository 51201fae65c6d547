from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.document import Document
from rerank.core.errors import CorpusError
from rerank.ingest.lines import Line
from rerank.ingest.record import Record, RecordFields, RejectedRecord
from rerank.ingest.tables import read_csv, read_tsv

Reader = Callable[..., Iterator[Record | RejectedRecord]]


def read(reader: Reader, data: bytes | str, fields: RecordFields | None = None) -> list[Record | RejectedRecord]:
    content = data.encode() if isinstance(data, str) else data
    lines = [Line(number, line) for number, line in enumerate(content.splitlines(keepends=True), start=1)]
    return list(reader(lines, fields or RecordFields(), file="c"))


def test_first_line_has_the_column_names() -> None:
    """Values are strings, empty ones are dropped, and a column without a name is ignored."""
    rows = read(read_csv, ",_id,text,title,year,note\r\n0,a,Tea.,T,1999,\r\n1,b,Coffee.,,,x\r\n")
    assert rows == [
        Record("c", 2, Document("a", "Tea.", "T", {"year": "1999"})),
        Record("c", 3, Document("b", "Coffee.", "", {"note": "x"})),
    ]


def test_quoted_value_can_span_lines() -> None:
    """The line of a record is its first line."""
    assert read(read_csv, '_id,text\na,"one ""two"",\nthree"\n\nb,four\n') == [
        Record("c", 2, Document("a", 'one "two",\nthree')),
        Record("c", 5, Document("b", "four")),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_delimiter_is_detected_from_the_header(delimiter: str) -> None:
    """Spreadsheets use different delimiters in different locales."""
    rows = read(read_csv, "_id,text\na,x, y\n".replace(",", delimiter, 1).replace("a,", f"a{delimiter}"))
    assert rows == [Record("c", 2, Document("a", "x, y"))]


def test_tsv_line_is_one_row() -> None:
    """A quote inside a value is an ordinary character; a pair around the value is removed."""
    rows = read(read_tsv, '_id\ttext\na\t"open quote\nb\t"said ""so"""\nc\t"two" of "them"\r\nd\t"\n')
    assert rows == [
        Record("c", 2, Document("a", '"open quote')),
        Record("c", 3, Document("b", 'said "so"')),
        Record("c", 4, Document("c", '"two" of "them"')),
        Record("c", 5, Document("d", '"')),
    ]


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_row_of_another_length_is_rejected(reader: Reader) -> None:
    """Its values cannot be assigned to columns; the next rows are read."""
    separator = "," if reader is read_csv else "\t"
    rows = read(reader, "_id,text\na\nb,x,y\nc,z\n".replace(",", separator))
    assert rows == [
        RejectedRecord("c", 2, "the row must have 2 values, got 1"),
        RejectedRecord("c", 3, "the row must have 2 values, got 3"),
        Record("c", 4, Document("c", "z")),
    ]


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_row_with_invalid_utf_8_is_rejected(reader: Reader) -> None:
    """The other rows are read."""
    separator = b"," if reader is read_csv else b"\t"
    rows = read(reader, b"_id,text\na,caff\xe8\nb,caff\xc3\xa8\n".replace(b",", separator))
    assert rows == [RejectedRecord("c", 2, 'column "text" must be UTF-8'), Record("c", 3, Document("b", "caffè"))]


def test_unclosed_quote_rejects_only_its_row() -> None:
    """The next rows are read."""
    rows = read(read_csv, '_id,text\na,"open\nb,x\nc,y\n')
    assert [row.line for row in rows] == [2, 3, 4]
    assert isinstance(rows[0], RejectedRecord)
    assert rows[0].reason.startswith("not valid CSV: ")
    assert rows[1:] == [Record("c", 3, Document("b", "x")), Record("c", 4, Document("c", "y"))]


def test_value_of_one_megabyte_is_read() -> None:
    """The default limit of the csv module is lower."""
    text = "tea and coffee " * 70_000
    assert read(read_csv, f"_id,text\na,{text}\n") == [Record("c", 2, Document("a", text))]


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_too_long_line_is_rejected(reader: Reader) -> None:
    """The rule also holds inside quotes."""
    separator = b"," if reader is read_csv else b"\t"
    contents = [b"_id,text\n", None, b"a,x\n", b'b,"open\n', None, b"c,y\n"]
    lines = [Line(i, c and c.replace(b",", separator)) for i, c in enumerate(contents, start=1)]
    rows = list(reader(lines, RecordFields(), file="c"))
    assert {row.line for row in rows if isinstance(row, RejectedRecord)} >= {2, 5}
    assert [row.document.doc_id for row in rows if isinstance(row, Record)][-1] == "c"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("id,text\n", 'c:1: column "_id" is missing, got "id", "text". Pass the name of the column with --id-field.'),
        (
            "_id,body\n",
            'c:1: column "text" is missing, got "_id", "body". Pass the name of the column with --text-field.',
        ),
        ("\n_id,text\n", 'c:1: column "_id" is missing, got no columns. Pass the name of the column with --id-field.'),
        ("_id,text,_id\n", 'c:1: column names must be unique, got "_id" twice. Rename one.'),
        (b"_id,text,\xff\n", "c:1: the column names must be UTF-8. Save the file as UTF-8."),
        ('_id,"text\n', "c:1: not valid CSV: unexpected end of data"),
    ],
)
def test_invalid_header_is_refused(data: bytes | str, message: str) -> None:
    """The whole file is refused with one error."""
    with pytest.raises(CorpusError) as caught:
        read(read_csv, data)
    assert caught.value.message == message


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_empty_file_yields_no_records(reader: Reader) -> None:
    """The run decides if that is an error."""
    assert read(reader, "") == []


@given(st.text(alphabet='ab",;\t\r\n\0é', max_size=80) | st.binary(max_size=80))
def test_any_rows_yield_records_or_rejections(data: str | bytes) -> None:
    """No row raises an error, and no line is in two records."""
    content = data.encode() if isinstance(data, str) else data
    for reader, header in ((read_csv, b"_id,text\n"), (read_tsv, b"_id\ttext\n")):
        lines = [Line(number, line + b"\n") for number, line in enumerate((header[:-1] + b"\n" + content).split(b"\n"))]
        numbers = [row.line for row in reader(lines, RecordFields(), file="c")]
        assert numbers == sorted(set(numbers))
