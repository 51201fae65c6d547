"""Lock of a table: one writer at a time, across threads and processes."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

WRITE_LOCK_SECONDS = 600.0
"""Timeout of a writer that waits for the table lock."""


def write_lock(folder: Path, table: str) -> FileLock:
    """Returns the lock to hold while *table* is written or dropped."""
    return FileLock(folder / f"{table}.lock", timeout=WRITE_LOCK_SECONDS)
