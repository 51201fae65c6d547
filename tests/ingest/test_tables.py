"""Rules of a corpus of rows."""

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


def test_the_first_line_names_the_columns() -> None:
    """Values are strings, an empty one is none, and a column without a name is left out."""
    rows = read(read_csv, ",_id,text,title,year,note\r\n0,a,Tea.,T,1999,\r\n1,b,Coffee.,,,x\r\n")
    assert rows == [
        Record("c", 2, Document("a", "Tea.", "T", {"year": "1999"})),
        Record("c", 3, Document("b", "Coffee.", "", {"note": "x"})),
    ]


def test_a_quoted_value_may_run_over_lines() -> None:
    """A record is named by the line on which it begins."""
    assert read(read_csv, '_id,text\na,"one ""two"",\nthree"\n\nb,four\n') == [
        Record("c", 2, Document("a", 'one "two",\nthree')),
        Record("c", 5, Document("b", "four")),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_the_delimiter_is_found_by_the_columns(delimiter: str) -> None:
    """Spreadsheets write what is the custom of their country."""
    rows = read(read_csv, "_id,text\na,x, y\n".replace(",", delimiter, 1).replace("a,", f"a{delimiter}"))
    assert rows == [Record("c", 2, Document("a", "x, y"))]


def test_tab_separated_values_are_one_row_a_line() -> None:
    """A quote within a value is an ordinary character; a pair around it is the custom of other programs."""
    rows = read(read_tsv, '_id\ttext\na\t"open quote\nb\t"said ""so"""\nc\t"two" of "them"\r\nd\t"\n')
    assert rows == [
        Record("c", 2, Document("a", '"open quote')),
        Record("c", 3, Document("b", 'said "so"')),
        Record("c", 4, Document("c", '"two" of "them"')),
        Record("c", 5, Document("d", '"')),
    ]


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_a_row_of_another_length_is_left_out(reader: Reader) -> None:
    """Its values cannot be told apart; the rows after it are read."""
    separator = "," if reader is read_csv else "\t"
    rows = read(reader, "_id,text\na\nb,x,y\nc,z\n".replace(",", separator))
    assert rows == [
        RejectedRecord("c", 2, "1 values where the first line names 2 columns"),
        RejectedRecord("c", 3, "3 values where the first line names 2 columns"),
        Record("c", 4, Document("c", "z")),
    ]


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_a_row_that_is_not_utf_8_is_left_out(reader: Reader) -> None:
    """The others are read."""
    separator = b"," if reader is read_csv else b"\t"
    rows = read(reader, b"_id,text\na,caff\xe8\nb,caff\xc3\xa8\n".replace(b",", separator))
    assert rows == [RejectedRecord("c", 2, 'column "text" is not UTF-8'), Record("c", 3, Document("b", "caffè"))]


def test_a_quote_that_is_never_closed_takes_only_its_row() -> None:
    """What follows is read as if the row were not there."""
    rows = read(read_csv, '_id,text\na,"open\nb,x\nc,y\n')
    assert [row.line for row in rows] == [2, 3, 4]
    assert isinstance(rows[0], RejectedRecord)
    assert rows[0].reason.startswith("not CSV: ")
    assert rows[1:] == [Record("c", 3, Document("b", "x")), Record("c", 4, Document("c", "y"))]


def test_a_value_of_a_megabyte_is_read() -> None:
    """The csv module's own limit is far lower."""
    text = "tea and coffee " * 70_000
    assert read(read_csv, f"_id,text\na,{text}\n") == [Record("c", 2, Document("a", text))]


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_a_line_that_was_too_long_is_left_out(reader: Reader) -> None:
    """Also inside quotes."""
    separator = b"," if reader is read_csv else b"\t"
    contents = [b"_id,text\n", None, b"a,x\n", b'b,"open\n', None, b"c,y\n"]
    lines = [Line(i, c and c.replace(b",", separator)) for i, c in enumerate(contents, start=1)]
    rows = list(reader(lines, RecordFields(), file="c"))
    assert {row.line for row in rows if isinstance(row, RejectedRecord)} >= {2, 5}
    assert [row.document.doc_id for row in rows if isinstance(row, Record)][-1] == "c"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("id,text\n", 'c:1: no column is named "_id"; there are "id", "text": name one with --id-field'),
        ("_id,body\n", 'c:1: no column is named "text"; there are "_id", "body": name one with --text-field'),
        ("\n_id,text\n", 'c:1: no column is named "_id"; there are none: name one with --id-field'),
        ("_id,text,_id\n", 'c:1: two columns are named "_id"; rename one'),
        (b"_id,text,\xff\n", "c:1: the names of the columns are not UTF-8; save the file as UTF-8"),
        ('_id,"text\n', "c:1: not CSV: unexpected end of data"),
    ],
)
def test_a_first_line_without_the_columns_is_an_error(data: bytes | str, message: str) -> None:
    """No row could be read without them, so that it is said once."""
    with pytest.raises(CorpusError) as caught:
        read(read_csv, data)
    assert caught.value.message == message


@pytest.mark.parametrize("reader", [read_csv, read_tsv])
def test_an_empty_file_has_no_records(reader: Reader) -> None:
    """Whether that is an error is for the run to say."""
    assert read(reader, "") == []


@given(st.text(alphabet='ab",;\t\r\n\0é', max_size=80) | st.binary(max_size=80))
def test_any_rows_are_records_or_rejections(data: str | bytes) -> None:
    """No row stops a run, and no line is read into two records."""
    content = data.encode() if isinstance(data, str) else data
    for reader, header in ((read_csv, b"_id,text\n"), (read_tsv, b"_id\ttext\n")):
        lines = [Line(number, line + b"\n") for number, line in enumerate((header[:-1] + b"\n" + content).split(b"\n"))]
        numbers = [row.line for row in reader(lines, RecordFields(), file="c")]
        assert numbers == sorted(set(numbers))
