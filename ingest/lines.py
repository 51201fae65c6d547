"""The lines of a file, plain or gzip, and how far into it they reach."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from rerank.core.errors import CorpusError

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line is not read: it would be no text that a search can answer with, and memory is bounded by it."""

_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """A line with its end; `content` is None when it is longer than MAX_LINE_BYTES. Numbers start at 1."""

    number: int
    content: bytes | None


class LineReader:
    """Reads the lines of one file in constant memory. gzip is known by its first bytes, whatever the file's name.

    *name* stands for the file in messages. Raises CorpusError when the file cannot be opened, and, while reading,
    when it breaks off.
    """

    def __init__(self, path: Path, *, name: str) -> None:
        self._name = name
        try:
            self._file = path.open("rb")
            self._bytes = self._decompressed(self._file)
        except OSError as exc:
            raise CorpusError(f"{name}: cannot be read: {exc.strerror or exc}; check its name and rights") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def position(self) -> int:
        """Bytes of the file read so far: compressed ones for gzip, so that it can be compared with its size."""
        return 0 if self._file.closed else self._file.tell()

    def lines(self) -> Iterator[Line]:
        """Every line; a UTF-8 byte order mark is left out."""
        for number, content in enumerate(self._contents(), start=1):
            if number == 1 and content is not None:
                if content.startswith(_UTF16_BOMS):
                    raise CorpusError(f"{self._name}: is UTF-16; save it as UTF-8")
                yield Line(number, content.removeprefix(_UTF8_BOM))
            else:
                yield Line(number, content)

    def _contents(self) -> Iterator[bytes | None]:
        try:
            while content := self._bytes.readline(MAX_LINE_BYTES + 1):
                if len(content) <= MAX_LINE_BYTES:
                    yield content
                    continue
                while content and not content.endswith(b"\n"):
                    content = self._bytes.readline(MAX_LINE_BYTES)
                yield None
        except EOFError as exc:
            raise CorpusError(f"{self._name}: the gzip data breaks off; fetch or compress the file again") from exc
        except (OSError, zlib.error) as exc:
            raise CorpusError(f"{self._name}: cannot be read to its end: {exc}") from exc

    @staticmethod
    def _decompressed(file: BinaryIO) -> BinaryIO:
        start = file.read(len(_GZIP))
        file.seek(0)
        if start != _GZIP:
            return file
        # GzipFile reads by Python calls; the buffer makes that one call for many lines.
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
