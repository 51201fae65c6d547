from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.errors import CorpusError
from rerank.ingest.lines import MAX_LINE_BYTES, Line, LineReader

BOM = b"\xef\xbb\xbf"


def read(path: Path) -> list[Line]:
    with LineReader(path, name="c") as reader:
        return list(reader.lines())


@pytest.mark.parametrize("compress", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_gzip_is_detected_by_its_bytes(tmp_path: Path, compress: type[bytes], name: str) -> None:
    """The file name does not matter."""
    path = tmp_path / name
    path.write_bytes(compress(BOM + b"one\r\ntwo\n\nlast"))
    assert read(path) == [Line(1, b"one\r\n"), Line(2, b"two\n"), Line(3, b"\n"), Line(4, b"last")]


def test_all_members_of_a_gzip_file_are_read(tmp_path: Path) -> None:
    """`cat a.gz b.gz` creates a file with several members."""
    path = tmp_path / "c.jsonl"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert read(path) == [Line(1, b"one\n"), Line(2, b"two\n")]


def test_too_long_line_has_no_content(tmp_path: Path) -> None:
    """Memory is limited, and the next line is read."""
    path = tmp_path / "c.jsonl"
    path.write_bytes(gzip.compress(b"a" * (2 * MAX_LINE_BYTES + 5) + b"\nnext\n" + b"b" * MAX_LINE_BYTES, 1))
    lines = read(path)
    assert lines[:2] == [Line(1, None), Line(2, b"next\n")]
    assert len(lines[2].content or b"") == MAX_LINE_BYTES


@pytest.mark.parametrize("cut", [3, 11, 30])
def test_truncated_gzip_is_refused(tmp_path: Path, cut: int) -> None:
    """A part of a corpus is not mistaken for all of it."""
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress(bytes(range(32, 127)) * 3)[:cut])
    with pytest.raises(CorpusError, match="c: the gzip data is truncated"):
        read(path)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """A wrong checksum and an invalid deflate stream are errors."""
    packed = bytearray(gzip.compress(b"some text\n" * 10))
    packed[-6] ^= 0xFF
    (tmp_path / "sum").write_bytes(packed)
    (tmp_path / "stream").write_bytes(packed[:10] + b"\xff" * 20)
    for name in ("sum", "stream"):
        with pytest.raises(CorpusError, match="Cannot read c completely"):
            read(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_refused(tmp_path: Path, encoding: str) -> None:
    """There is one error for the file, not one per line."""
    path = tmp_path / "c.csv"
    path.write_bytes("\ufeff_id,text\n1,a\n".encode(encoding))
    with pytest.raises(CorpusError, match="c must be UTF-8, got UTF-16"):
        read(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    with pytest.raises(CorpusError, match="Cannot read c: No such file"):
        read(tmp_path / "missing")


def test_position_ends_at_the_file_size(tmp_path: Path) -> None:
    """The position of a gzip file counts compressed bytes, so that it is comparable with the size."""
    data = b"".join(b"%d some line\n" % number for number in range(20_000))
    for name, content in (("plain", data), ("packed", gzip.compress(data))):
        path = tmp_path / name
        path.write_bytes(content)
        with LineReader(path, name=name) as reader:
            positions = [reader.position for _ in reader.lines()]
        assert positions == sorted(positions)
        assert positions[-1] == len(content)
        assert positions[0] < len(content)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_yield_lines_or_a_corpus_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, packed: bool
) -> None:
    """No content raises another error."""
    path = tmp_path_factory.mktemp("lines") / "c"
    path.write_bytes((b"\x1f\x8b" if packed else b"") + data)
    try:
        lines = read(path)
    except CorpusError:
        return
    assert b"".join(line.content or b"" for line in lines) in (data, data.removeprefix(BOM))
