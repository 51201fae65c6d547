from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.document import Document
from rerank.ingest.json_lines import read_json_lines
from rerank.ingest.lines import Line
from rerank.ingest.record import Record, RecordFields, RejectedRecord


def read(*contents: bytes | None) -> list[Record | RejectedRecord]:
    lines = [Line(number, content) for number, content in enumerate(contents, start=1)]
    return list(read_json_lines(lines, RecordFields(), file="c"))


def test_each_line_is_a_record() -> None:
    """Blank lines are skipped but counted; the last line needs no line break."""
    records = read(b'{"_id": "a", "text": "x"}\r\n', b" \n", '{"_id": "b", "text": "é"}'.encode())
    assert records == [Record("c", 1, Document("a", "x")), Record("c", 3, Document("b", "é"))]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not valid JSON: Expecting property name enclosed in double quotes at column 2"),
        (b"plain text", "not valid JSON: Expecting value at column 1"),
        (b'{"_id": "a"} {"_id": "b"}', "not valid JSON: Extra data at column 14"),
        (b"[1]", "each line must be a JSON object with an id and a text"),
        (b"null", "each line must be a JSON object with an id and a text"),
        (b'{"_id": "a", "text": "\xff"}', "not UTF-8 at byte 23 of the line"),
        (b'{"_id": "a", "text": "t", "n": NaN}', "not valid JSON: NaN is not a JSON number"),
        (b'{"_id": "a", "text": "t", "n": -Infinity}', "not valid JSON: -Infinity is not a JSON number"),
        (b"[" * 100_000, "not valid JSON: nested too deeply"),
        (b'{"_id": ' + b"1" * 5000 + b"}", "not valid JSON: Exceeds the limit (4300 digits)"),
        (None, "the line must be at most 16,777,216 bytes long. Split the text into several records"),
        (b'{"_id": "a", "text": "\\ud83d"}', "text is not valid Unicode (lone surrogate at character 0)"),
    ],
)
def test_invalid_line_is_rejected(content: bytes | None, reason: str) -> None:
    """The next line is read."""
    rejected, good = read(content, b'{"_id": "b", "text": "x"}')
    assert isinstance(rejected, RejectedRecord)
    assert (rejected.file, rejected.line) == ("c", 1)
    assert rejected.reason.startswith(reason)
    assert good == Record("c", 2, Document("b", "x"))


def test_escaped_surrogate_pair_is_one_character() -> None:
    """JSON escapes characters above U+FFFF as surrogate pairs."""
    assert read(b'{"_id": "a", "text": "\\ud83d\\ude00"}') == [Record("c", 1, Document("a", "😀"))]


def test_text_of_one_megabyte_is_read() -> None:
    """A long text is valid."""
    text = "tea and coffee " * 70_000
    assert read(json.dumps({"_id": "a", "text": text}).encode()) == [Record("c", 1, Document("a", text))]


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b'{"_id":"\\ud800","text":1}', b'{"_id":{}}']), max_size=5))
def test_any_line_yields_a_record_or_a_rejection(contents: list[bytes]) -> None:
    """No line raises an error."""
    assert len(read(*contents)) == sum(bool(content.strip()) for content in contents)


@given(
    st.dictionaries(
        st.sampled_from(["_id", "text", "title", "metadata", "a", "a.b", ""]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_any_object_yields_a_record_or_a_rejection(values: dict[str, object]) -> None:
    """No combination of value types raises an error."""
    try:
        content = json.dumps(values, allow_nan=False).encode()
    except ValueError:
        return
    assert len(read(content)) == 1
