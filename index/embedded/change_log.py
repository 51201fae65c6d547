"""Log of the documents that change in a live generation while another generation is built.

The log is a file beside the table that is built. Writers add the ids after each write to the live table, while they
hold its write lock. Publication replays them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path


class ChangeLog:
    """Log for the unpublished table *table* in *folder*."""

    def __init__(self, folder: Path, table: str) -> None:
        self._file = folder / f"{table}.changes"

    def add(self, doc_ids: Sequence[str]) -> None:
        """Appends *doc_ids* durably. A process that is killed earlier leaves at most one partial line."""
        # The line break comes first, so that a partial line does not damage the next one.
        lines = "".join(f"\n{json.dumps(doc_id)}" for doc_id in doc_ids) + "\n"
        with self._file.open("ab") as stream:
            stream.write(lines.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def doc_ids(self) -> list[str]:
        """Returns the ids in the order of the writes, with repetitions. Partial lines are left out."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [doc_id for line in lines if (doc_id := _parsed(line)) is not None]

    def remove(self) -> None:
        """Deletes the file."""
        self._file.unlink(missing_ok=True)


def _parsed(line: bytes) -> str | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, str) else None
