"""Rules of finding the files of a run."""

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
def test_the_name_says_what_a_file_holds(tmp_path: Path, name: str, content: bytes) -> None:
    """Its packing is another matter."""
    path = tmp_path / name
    path.write_bytes(content)
    assert [document for _, _, document in read(str(path))] == [DOCUMENT]


@pytest.mark.parametrize(("name", "pack"), [("corpus.jsonl", bytes), ("corpus.jsonl.gz", gzip.compress)])
def test_a_folder_holds_a_corpus_file(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    """The layout of BEIR."""
    (tmp_path / name).write_bytes(pack(LINE))
    assert read(str(tmp_path)) == [(str(tmp_path / name), 1, DOCUMENT)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input_is_json_lines(pack: type[bytes]) -> None:
    """It is read as often as a file is, though it comes only once."""
    assert read("-", stdin=pack(LINE)) == [("stdin", 1, DOCUMENT)]


def test_a_pipe_is_read_as_standard_input_is(tmp_path: Path) -> None:
    """Shells hand over what a command writes as the name of a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(LINE,))
    writer.start()
    assert read(str(pipe)) == [(str(pipe), 1, DOCUMENT)]
    writer.join()


def test_several_corpora_are_read_in_order(tmp_path: Path) -> None:
    """Line numbers are each file's own, and the position runs through all of them."""
    names = []
    for name in ("b", "a"):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(json.dumps({"_id": name, "text": name}).encode() + b"\n")
        names.append(str(path))
    positions: list[int] = []
    with open_corpus(names) as corpus:
        records = list(corpus.records(RecordFields(), read=positions.append))
        assert positions[-1] == corpus.size == sum(Path(name).stat().st_size for name in names)
    assert records == [Record(names[0], 1, Document("b", "b")), Record(names[1], 1, Document("a", "a"))]


def test_the_identity_changes_with_the_files(tmp_path: Path) -> None:
    """By name, size and time of change; by content for what comes only once."""
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


def test_a_name_that_leads_to_no_corpus_is_an_error(tmp_path: Path) -> None:
    """The error says what is wrong with it, and what a corpus is."""
    (tmp_path / "c.json").write_bytes(b"[]")
    (tmp_path / "folder").mkdir()
    cases = {
        str(tmp_path / "none.jsonl"): "cannot be read: No such file or directory",
        str(tmp_path / "c.json"): "its name does not say what it holds",
        str(tmp_path / "folder"): "there is no corpus.jsonl or corpus.jsonl.gz in this folder",
        "a\0b.jsonl": "cannot be read: embedded null byte",
    }
    for name, reason in cases.items():
        with pytest.raises(CorpusError) as caught, open_corpus([name]):
            pass
        assert caught.value.message.startswith(f"{name}: {reason}; a corpus is a .jsonl, .csv or .tsv file")
    with pytest.raises(CorpusError, match="no corpus was named"), open_corpus([]):
        pass


def test_a_file_without_rights_is_an_error(tmp_path: Path) -> None:
    """Told when it is opened."""
    path = tmp_path / "c.jsonl"
    path.write_bytes(LINE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with open_corpus([str(path)]) as corpus, pytest.raises(CorpusError, match="Permission denied"):
        list(corpus.records(RecordFields()))


class BrokenStream(io.BytesIO):
    """Fails when it is read."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(self._number, os.strerror(self._number))


def test_a_stream_that_cannot_be_set_aside_is_an_error() -> None:
    """No space for the copy, or a stream that breaks off."""
    with (
        pytest.raises(StoreFull, match=r"stdin: no space is left in .* TMPDIR"),
        open_corpus(["-"], stdin=BrokenStream(errno.ENOSPC)),
    ):
        pass
    with (
        pytest.raises(CorpusError, match="stdin: cannot be read: Input/output error"),
        open_corpus(["-"], stdin=BrokenStream(errno.EIO)),
    ):
        pass
