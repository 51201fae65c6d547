"""Whose turn it is to write to a table: one writer at a time, of all threads and processes."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

WRITE_WAIT_SECONDS = 600.0


def write_lock(folder: Path, table: str) -> FileLock:
    """The lock that a writer of *table* holds, and whoever removes it."""
    return FileLock(folder / f"{table}.lock", timeout=WRITE_WAIT_SECONDS)
