"""Collection of rejected records: a count, the first few as examples, and a file with all of them (`--rejects`)."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Self, TextIO

from rerank.core.errors import CorpusError, StoreFull
from rerank.ingest.record import RejectedRecord

MAX_EXAMPLES = 5


class RejectedRecords:
    """Rejected records of one run. The file (JSON lines) is overwritten by each run; None writes no file.

    Raises CorpusError if the file cannot be written, and StoreFull if the disk is full.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path and path.absolute()
        self._file: TextIO | None = None
        self._checkpoint = 0
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
        """Counts *record* and writes it to the file."""
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(record)
        if self._file is not None:
            try:
                # ASCII escapes: an id can be invalid Unicode.
                self._file.write(json.dumps(record.to_json()) + "\n")
            except OSError as exc:
                raise self._translated(exc) from exc

    def flush(self) -> None:
        """Writes buffered records to the file."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as exc:
                raise self._translated(exc) from exc

    def checkpoint(self) -> int:
        """Saves the current state for roll_back() and returns the number of records."""
        self.flush()
        self._checkpoint = self._file.tell() if self._file is not None else 0
        return self.count

    def roll_back(self, count: int) -> None:
        """Removes all records after the last checkpoint(), which returned *count*."""
        self.count = count
        del self.examples[count:]
        if self._file is not None:
            self._file.seek(self._checkpoint)
            self._file.truncate()

    def _translated(self, error: OSError) -> CorpusError | StoreFull:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreFull(
                f"{self._path}: no space left on the disk for the rejected records. Free disk space and run the "
                "command again."
            )
        return CorpusError(
            f"{self._path}: cannot write the rejected records: {error.strerror or error}. "
            "Pass another file to --rejects."
        )
