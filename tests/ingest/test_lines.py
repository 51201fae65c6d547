"""Rules of reading lines: plain or gzip, in bounded memory."""

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
def test_gzip_is_known_by_its_bytes(tmp_path: Path, compress: type[bytes], name: str) -> None:
    """The name of a file may lie about its packing."""
    path = tmp_path / name
    path.write_bytes(compress(BOM + b"one\r\ntwo\n\nlast"))
    assert read(path) == [Line(1, b"one\r\n"), Line(2, b"two\n"), Line(3, b"\n"), Line(4, b"last")]


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    """Files are joined by cat."""
    path = tmp_path / "c.jsonl"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert read(path) == [Line(1, b"one\n"), Line(2, b"two\n")]


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path) -> None:
    """Memory is bounded whatever a file holds, and the next line is read."""
    path = tmp_path / "c.jsonl"
    path.write_bytes(gzip.compress(b"a" * (2 * MAX_LINE_BYTES + 5) + b"\nnext\n" + b"b" * MAX_LINE_BYTES, 1))
    lines = read(path)
    assert lines[:2] == [Line(1, None), Line(2, b"next\n")]
    assert len(lines[2].content or b"") == MAX_LINE_BYTES


@pytest.mark.parametrize("cut", [3, 11, 30])
def test_gzip_that_breaks_off_is_an_error(tmp_path: Path, cut: int) -> None:
    """Half a corpus must not pass for a whole one."""
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress(bytes(range(32, 127)) * 3)[:cut])
    with pytest.raises(CorpusError, match="c: the gzip data breaks off"):
        read(path)


def test_gzip_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    """A check sum that does not fit, or bytes that are no deflate stream."""
    packed = bytearray(gzip.compress(b"some text\n" * 10))
    packed[-6] ^= 0xFF
    (tmp_path / "sum").write_bytes(packed)
    (tmp_path / "stream").write_bytes(packed[:10] + b"\xff" * 20)
    for name in ("sum", "stream"):
        with pytest.raises(CorpusError, match="c: cannot be read to its end"):
            read(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    """One clear error, not one for every line."""
    path = tmp_path / "c.csv"
    path.write_bytes("\ufeff_id,text\n1,a\n".encode(encoding))
    with pytest.raises(CorpusError, match="c: is UTF-16; save it as UTF-8"):
        read(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The error says which file, and why."""
    with pytest.raises(CorpusError, match="c: cannot be read: No such file"):
        read(tmp_path / "missing")


def test_the_position_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    """Also for gzip it is counted in bytes of the file, so that it can be compared with its size."""
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
def test_any_bytes_are_lines_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, packed: bool) -> None:
    """Nothing that a file can hold is a surprise."""
    path = tmp_path_factory.mktemp("lines") / "c"
    path.write_bytes((b"\x1f\x8b" if packed else b"") + data)
    try:
        lines = read(path)
    except CorpusError:
        return
    assert b"".join(line.content or b"" for line in lines) in (data, data.removeprefix(BOM))
