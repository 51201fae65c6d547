"""Translation of errors of LanceDB, of the file system and of file locks."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from rerank.core.errors import StoreError, StoreFull, StoreTimeout, StoreUnavailable

_DISK_FULL = ("no space left", "disk quota exceeded", "storage full", "os error 28")
_ACCESS_DENIED = ("permission denied", "read-only file system", "not a directory")


@contextmanager
def translated_errors(folder: Path, action: str) -> Iterator[None]:
    """Turns errors of the block into StoreError. *action* completes "failed while ...", for example "refreshing"."""
    try:
        yield
    except Timeout as exc:
        raise StoreTimeout(
            f"{folder}: timed out while {action}: another process is writing to the store. Retry later."
        ) from exc
    # LanceDB raises RuntimeError and ValueError for most failures; only the message states the cause.
    except (OSError, RuntimeError, ValueError) as exc:
        message = str(exc).lower()
        if getattr(exc, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(
            phrase in message for phrase in _DISK_FULL
        ):
            raise StoreFull(
                f"{folder}: no space left on the disk while {action}. Free disk space, or set store to another disk."
            ) from exc
        if any(phrase in message for phrase in _ACCESS_DENIED):
            raise StoreUnavailable(
                f"{folder}: access denied while {action} ({_first_line(exc)}). Set store to a writable folder."
            ) from exc
        raise StoreError(f"{folder}: failed while {action}: {_first_line(exc)}.") from exc


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
