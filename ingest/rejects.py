"""Where rejected records go: counted, a few kept as examples, and all of them in the rejects file."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Self, TextIO

from rerank.core.errors import CorpusError, StoreFull
from rerank.ingest.record import RejectedRecord

MAX_EXAMPLES = 5


class Rejects:
    """Takes rejected records as they are found. The file, JSON lines, is begun anew by each run.

    Raises CorpusError when the file cannot be written, and StoreFull when no space is left for it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._marked = 0
        self.count = 0
        self.examples: list[RejectedRecord] = []

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as exc:
                raise self._translated(exc) from exc
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as exc:
                raise self._translated(exc) from exc

    def add(self, record: RejectedRecord) -> None:
        """Count *record* and write it down."""
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(record)
        if self._file is not None:
            try:
                # Escaped: an id may hold what is no valid Unicode.
                self._file.write(json.dumps(record.to_json()) + "\n")
            except OSError as exc:
                raise self._translated(exc) from exc

    def flush(self) -> None:
        """Bring everything so far to the file."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as exc:
                raise self._translated(exc) from exc

    def mark(self) -> int:
        """A point to go back to: the number of records so far."""
        self.flush()
        self._marked = self._file.tell() if self._file is not None else 0
        return self.count

    def forget_since(self, mark: int) -> None:
        """Take back every record since the latest mark(), whose answer *mark* is."""
        self.count = mark
        del self.examples[mark:]
        if self._file is not None:
            self._file.seek(self._marked)
            self._file.truncate()

    def _translated(self, exc: OSError) -> CorpusError | StoreFull:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreFull(f"{self._path}: no space is left for the rejects file; free some and run it again")
        return CorpusError(f"{self._path}: the rejects file cannot be written: {exc.strerror or exc}")
