"""Line reader for plain and gzip files that knows its position in the file."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from rerank.core.errors import CorpusError

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longer lines are rejected to limit memory."""

_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """Line with its line break. number: starts at 1. content: None if the line is longer than MAX_LINE_BYTES."""

    number: int
    content: bytes | None


class LineReader:
    """Reader of the lines of one file in constant memory. gzip is detected by its first bytes, not by the file name.

    name: name of the file in messages. Raises CorpusError if the file cannot be opened, or, while reading, if it is
    damaged.
    """

    def __init__(self, path: Path, *, name: str) -> None:
        self._name = name
        try:
            self._file = path.open("rb")
            self._bytes = self._decompressed(self._file)
        except OSError as exc:
            raise CorpusError(f"Cannot read {name}: {exc.strerror or exc}. Check its path and permissions.") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def position(self) -> int:
        """Bytes of the file that were read so far; compressed bytes for gzip, comparable with the file size."""
        return 0 if self._file.closed else self._file.tell()

    def lines(self) -> Iterator[Line]:
        """Yields every line, without a UTF-8 byte order mark."""
        for number, content in enumerate(self._contents(), start=1):
            if number == 1 and content is not None:
                if content.startswith(_UTF16_BOMS):
                    raise CorpusError(f"{self._name} must be UTF-8, got UTF-16. Save it as UTF-8.")
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
            raise CorpusError(
                f"{self._name}: the gzip data is truncated. Download or compress the file again."
            ) from exc
        except (OSError, zlib.error) as exc:
            raise CorpusError(f"Cannot read {self._name} completely: {exc}.") from exc

    @staticmethod
    def _decompressed(file: BinaryIO) -> BinaryIO:
        start = file.read(len(_GZIP))
        file.seek(0)
        if start != _GZIP:
            return file
        # Without the buffer, GzipFile makes several Python calls per line.
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
