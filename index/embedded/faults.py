"""LanceDB's and the file system's errors, as ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from rerank.core.errors import StoreError, StoreFull, StoreTimeout, StoreUnavailable

_NO_SPACE = ("no space left", "disk quota exceeded", "storage full", "os error 28")
_NO_ACCESS = ("permission denied", "read-only file system", "not a directory")


@contextmanager
def translated(folder: Path, what: str) -> Iterator[None]:
    """One step in the store in *folder*; an error in it becomes one of ours, saying *what* was done."""
    try:
        yield
    except Timeout as exc:
        raise StoreTimeout(
            f"{folder}: another process has kept the store busy; {what} was given up, try again"
        ) from exc
    # LanceDB raises RuntimeError and ValueError for what goes wrong beneath it, with the cause in the text.
    except (OSError, RuntimeError, ValueError) as exc:
        said = str(exc).lower()
        if getattr(exc, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(sign in said for sign in _NO_SPACE):
            raise StoreFull(
                f"{folder}: no space is left for {what}; free some, or set the store to another disk"
            ) from exc
        if any(sign in said for sign in _NO_ACCESS):
            raise StoreUnavailable(
                f"{folder}: {what} is not allowed there ({_first_line(exc)}); set the store to a folder to write to"
            ) from exc
        raise StoreError(f"{folder}: {what} failed: {_first_line(exc)}") from exc


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
