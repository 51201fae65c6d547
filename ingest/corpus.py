"""The corpora of one run: files found, stdin set aside, and their records in order."""

from __future__ import annotations

import errno
import hashlib
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from rerank.core.errors import CorpusError, StoreFull
from rerank.ingest.json_lines import read_json_lines
from rerank.ingest.lines import Line, LineReader
from rerank.ingest.record import Record, RecordFields, RejectedRecord
from rerank.ingest.tables import read_csv, read_tsv

STDIN = "-"


class _Reader(Protocol):
    def __call__(
        self, lines: Iterable[Line], fields: RecordFields, *, file: str
    ) -> Iterator[Record | RejectedRecord]: ...


_READERS: dict[str, _Reader] = {
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".csv": read_csv,
    ".tsv": read_tsv,
}
_EXPECTED = (
    "a corpus is a .jsonl, .csv or .tsv file, plain or gzip, a folder with corpus.jsonl, or - for JSON lines on stdin"
)


@dataclass(frozen=True)
class CorpusFile:
    """One file to read. `name` is what the user called it; `identity` changes when its content may have."""

    name: str
    path: Path
    suffix: str
    size: int
    identity: str


@dataclass(frozen=True)
class Corpus:
    """Several files, read one after the other, as often as wanted."""

    files: tuple[CorpusFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files as they lie on disk."""
        return sum(file.size for file in self.files)

    def identity(self) -> str:
        """Equal for the same files with the same sizes and times of change."""
        return hashlib.blake2b("\n".join(file.identity for file in self.files).encode(), digest_size=16).hexdigest()

    def records(
        self, fields: RecordFields, *, read: Callable[[int], None] | None = None
    ) -> Iterator[Record | RejectedRecord]:
        """Every record of every file. *read* is told, before each record, the bytes read so far.

        Raises CorpusError when a file cannot be read to its end, or its columns lack what *fields* names.
        """
        before = 0
        for file in self.files:
            with LineReader(file.path, name=file.name) as reader:
                for record in _READERS[file.suffix](reader.lines(), fields, file=file.name):
                    if read is not None:
                        read(before + reader.position)
                    yield record
            before += file.size


@contextmanager
def open_corpus(names: Sequence[str], *, stdin: BinaryIO | None = None) -> Iterator[Corpus]:
    """Find the files that *names* stand for. What can be read only once is copied to a temporary file meanwhile.

    Raises CorpusError for a name that leads to no corpus, and StoreFull when there is no room for the copy.
    """
    if not names:
        raise CorpusError(f"no corpus was named; {_EXPECTED}")
    with ExitStack() as stack:
        yield Corpus(tuple(_file(name, stack, stdin) for name in names))


def _file(name: str, stack: ExitStack, stdin: BinaryIO | None) -> CorpusFile:
    if name == STDIN:
        return _spooled("stdin", stdin or sys.stdin.buffer, ".jsonl", stack)
    path = Path(name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _regular(_in_folder(path))
        if stat.S_ISREG(mode):
            return _regular(path)
        with path.open("rb") as stream:
            return _spooled(name, stream, _suffix(path) or ".jsonl", stack)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise CorpusError(f"{name}: cannot be read: {reason}; {_EXPECTED}") from exc


def _in_folder(folder: Path) -> Path:
    for name in ("corpus.jsonl", "corpus.jsonl.gz"):
        if (folder / name).is_file():
            return folder / name
    raise CorpusError(f"{folder}: there is no corpus.jsonl or corpus.jsonl.gz in this folder; {_EXPECTED}")


def _regular(path: Path) -> CorpusFile:
    suffix = _suffix(path)
    if not suffix:
        raise CorpusError(f"{path}: its name does not say what it holds; {_EXPECTED}")
    found = path.stat()
    return CorpusFile(
        name=str(path),
        path=path,
        suffix=suffix,
        size=found.st_size,
        identity=f"{str(path.resolve())!a} {found.st_size} {found.st_mtime_ns}",
    )


def _suffix(path: Path) -> str:
    """The suffix that says what the file holds; none when it says nothing that is known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".gzip"):
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in _READERS else ""


def _spooled(name: str, stream: BinaryIO, suffix: str, stack: ExitStack) -> CorpusFile:
    """A copy of *stream*, removed with *stack*: a corpus is read twice."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="corpus-"))  # noqa: SIM115  # the stack does
        while block := stream.read(1 << 20):
            digest.update(block)
            copy.write(block)
        copy.flush()
        size = copy.tell()
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(
                f"{name}: no space is left in {tempfile.gettempdir()} to set it aside; free some, or name another "
                f"folder in TMPDIR"
            ) from exc
        raise CorpusError(f"{name}: cannot be read: {exc.strerror or exc}") from exc
    return CorpusFile(name, Path(copy.name), suffix, size, f"{name} {digest.hexdigest()}")
