"""Corpus of one run: the files of its arguments, a copy of stdin, and their records in order."""

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
    "CORPUS must be a .jsonl, .csv or .tsv file (plain or gzip), a folder with corpus.jsonl, or - for JSON lines from "
    "stdin."
)


@dataclass(frozen=True)
class CorpusFile:
    """File of a corpus. name: absolute path, or "stdin". identity: changes with the path, size or
    modification time.
    """

    name: str
    path: Path
    suffix: str
    size: int
    identity: str


@dataclass(frozen=True)
class Corpus:
    """Files of a corpus, which can be read several times."""

    files: tuple[CorpusFile, ...]

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(file.size for file in self.files)

    def identity(self) -> str:
        """Returns a hash of the paths, sizes and modification times."""
        return hashlib.blake2b("\n".join(file.identity for file in self.files).encode(), digest_size=16).hexdigest()

    def records(
        self, fields: RecordFields, *, on_position: Callable[[int], None] | None = None
    ) -> Iterator[Record | RejectedRecord]:
        """Yields every record of every file. Calls *on_position* with the number of bytes read before each record.

        Raises CorpusError if a file cannot be read completely or lacks a column of *fields*.
        """
        before = 0
        for file in self.files:
            with LineReader(file.path, name=file.name) as reader:
                for record in _READERS[file.suffix](reader.lines(), fields, file=file.name):
                    if on_position is not None:
                        on_position(before + reader.position)
                    yield record
            before += file.size


@contextmanager
def open_corpus(names: Sequence[str], *, stdin: BinaryIO | None = None) -> Iterator[Corpus]:
    """Yields the corpus of the arguments *names*. Copies streams to temporary files, because a corpus is read twice.

    Raises CorpusError for an argument that is not a corpus, and StoreFull if the disk has no space for a copy.
    """
    if not names:
        raise CorpusError(f"CORPUS is missing. {_EXPECTED}")
    with ExitStack() as stack:
        yield Corpus(tuple(_file(name, stack, stdin) for name in names))


def _file(name: str, stack: ExitStack, stdin: BinaryIO | None) -> CorpusFile:
    if name == STDIN:
        return _copied("stdin", stdin or sys.stdin.buffer, ".jsonl", stack)
    path = Path(name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _regular(_in_folder(path))
        if stat.S_ISREG(mode):
            return _regular(path)
        with path.open("rb") as stream:
            return _copied(name, stream, _suffix(path) or ".jsonl", stack)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise CorpusError(f"Cannot read {path.absolute()}: {reason}. {_EXPECTED}") from exc


def _in_folder(folder: Path) -> Path:
    for name in ("corpus.jsonl", "corpus.jsonl.gz"):
        if (folder / name).is_file():
            return folder / name
    raise CorpusError(f"Folder {folder.resolve()} has no corpus.jsonl or corpus.jsonl.gz. {_EXPECTED}")


def _regular(path: Path) -> CorpusFile:
    suffix = _suffix(path)
    if not suffix:
        raise CorpusError(f"{path.resolve()} has an unknown file type. {_EXPECTED}")
    status = path.stat()
    return CorpusFile(
        name=str(path.resolve()),
        path=path,
        suffix=suffix,
        size=status.st_size,
        identity=f"{str(path.resolve())!a} {status.st_size} {status.st_mtime_ns}",
    )


def _suffix(path: Path) -> str:
    """Returns the suffix of the file type, without a gzip suffix; empty for an unknown type."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".gzip"):
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in _READERS else ""


def _copied(name: str, stream: BinaryIO, suffix: str, stack: ExitStack) -> CorpusFile:
    """Copies *stream* to a temporary file, which *stack* deletes."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="corpus-"))  # noqa: SIM115  # closed by the stack
        while block := stream.read(1 << 20):
            digest.update(block)
            copy.write(block)
        copy.flush()
        size = copy.tell()
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(
                f"{name}: no space left in {tempfile.gettempdir()} for a temporary copy. Free disk space, or set "
                "TMPDIR to another folder."
            ) from exc
        raise CorpusError(f"Cannot read {name}: {exc.strerror or exc}.") from exc
    return CorpusFile(name, Path(copy.name), suffix, size, f"{name} {digest.hexdigest()}")
