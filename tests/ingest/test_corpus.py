from __future__ import annotations

import errno
import gzip
import io
import json
import os
import threading
from pathlib import Path

import pytest

from rerank.core.document import Document
from rerank.core.errors import CorpusError, StoreFull
from rerank.ingest.corpus import open_corpus
from rerank.ingest.record import Record, RecordFields

LINE = b'{"_id": "a", "text": "x"}\n'
DOCUMENT = Document("a", "x")


def read(*names: str, stdin: bytes = b"") -> list[tuple[str, int, Document]]:
    with open_corpus(names, stdin=io.BytesIO(stdin)) as corpus:
        twice = [list(corpus.records(RecordFields())) for _ in range(2)]
    assert twice[0] == twice[1]
    return [(record.file, record.line, record.document) for record in twice[0] if isinstance(record, Record)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.jsonl", LINE),
        ("c.JSONL", LINE),
        ("c.ndjson", LINE),
        ("c.jsonl.gz", gzip.compress(LINE)),
        ("c.jsonl", gzip.compress(LINE)),
        ("c.csv", b"_id,text\na,x\n"),
        ("c.tsv.gz", gzip.compress(b"_id\ttext\na\tx\n")),
    ],
)
def test_suffix_selects_the_file_type(tmp_path: Path, name: str, content: bytes) -> None:
    """Compression is detected independently of the suffix."""
    path = tmp_path / name
    path.write_bytes(content)
    assert [document for _, _, document in read(str(path))] == [DOCUMENT]


@pytest.mark.parametrize(("name", "pack"), [("corpus.jsonl", bytes), ("corpus.jsonl.gz", gzip.compress)])
def test_folder_with_corpus_file_is_read(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    """BEIR data sets have this layout."""
    (tmp_path / name).write_bytes(pack(LINE))
    assert read(str(tmp_path)) == [(str(tmp_path / name), 1, DOCUMENT)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_stdin_is_read_as_json_lines(pack: type[bytes]) -> None:
    """Stdin can be read twice, like a file."""
    assert read("-", stdin=pack(LINE)) == [("stdin", 1, DOCUMENT)]


def test_pipe_is_read_like_stdin(tmp_path: Path) -> None:
    """A shell passes `<(command)` as the path of a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(LINE,))
    writer.start()
    assert read(str(pipe)) == [(str(pipe), 1, DOCUMENT)]
    writer.join()


def test_several_corpora_are_read_in_order(tmp_path: Path) -> None:
    """Line numbers start at 1 in each file; the position counts the bytes of all files."""
    names = []
    for name in ("b", "a"):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(json.dumps({"_id": name, "text": name}).encode() + b"\n")
        names.append(str(path))
    positions: list[int] = []
    with open_corpus(names) as corpus:
        records = list(corpus.records(RecordFields(), on_position=positions.append))
        assert positions[-1] == corpus.size == sum(Path(name).stat().st_size for name in names)
    assert records == [Record(names[0], 1, Document("b", "b")), Record(names[1], 1, Document("a", "a"))]


def test_relative_path_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and errors name the absolute path."""
    monkeypatch.chdir(tmp_path)
    Path("c.jsonl").write_bytes(LINE)
    assert read("c.jsonl") == [(str(tmp_path / "c.jsonl"), 1, DOCUMENT)]
    with pytest.raises(CorpusError, match=f"^Cannot read {tmp_path}/none.jsonl: "), open_corpus(["none.jsonl"]):
        pass


def test_identity_changes_with_the_files(tmp_path: Path) -> None:
    """A file is identified by path, size and modification time, a stream by its content."""
    path = tmp_path / "c.jsonl"
    path.write_bytes(LINE)

    def identity(*names: str, stdin: bytes = b"") -> str:
        with open_corpus(names, stdin=io.BytesIO(stdin)) as corpus:
            return corpus.identity()

    first = identity(str(path))
    assert identity(str(path)) == first
    assert identity(str(path), str(path)) != first
    os.utime(path, ns=(1, 1))
    assert identity(str(path)) != first
    assert identity("-", stdin=b"a") == identity("-", stdin=b"a") != identity("-", stdin=b"b")


def test_invalid_corpus_argument_is_refused(tmp_path: Path) -> None:
    """The error has the reason and lists the valid arguments."""
    (tmp_path / "c.json").write_bytes(b"[]")
    (tmp_path / "folder").mkdir()
    messages = {
        str(tmp_path / "none.jsonl"): f"Cannot read {tmp_path}/none.jsonl: No such file or directory.",
        str(tmp_path / "c.json"): f"{tmp_path}/c.json has an unknown file type.",
        str(tmp_path / "folder"): f"Folder {tmp_path}/folder has no corpus.jsonl or corpus.jsonl.gz.",
        f"{tmp_path}/a\0b.jsonl": f"Cannot read {tmp_path}/a\0b.jsonl: embedded null byte.",
    }
    for name, message in messages.items():
        with pytest.raises(CorpusError) as caught, open_corpus([name]):
            pass
        assert caught.value.message.startswith(f"{message} CORPUS must be a .jsonl, .csv or .tsv file")
    with pytest.raises(CorpusError, match="CORPUS is missing"), open_corpus([]):
        pass


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    """The error names the missing permission."""
    path = tmp_path / "c.jsonl"
    path.write_bytes(LINE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user can read all files")
    with open_corpus([str(path)]) as corpus, pytest.raises(CorpusError, match="Permission denied"):
        list(corpus.records(RecordFields()))


class BrokenStream(io.BytesIO):
    """Stream whose reads fail with the error *number*."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(self._number, os.strerror(self._number))


def test_stream_that_cannot_be_copied_is_refused() -> None:
    """The disk can be full, and a stream can fail."""
    with (
        pytest.raises(StoreFull, match=r"stdin: no space left in .* TMPDIR"),
        open_corpus(["-"], stdin=BrokenStream(errno.ENOSPC)),
    ):
        pass
    with (
        pytest.raises(CorpusError, match="Cannot read stdin: Input/output error"),
        open_corpus(["-"], stdin=BrokenStream(errno.EIO)),
    ):
        pass
