"""Log of shadow mode: one JSON line per search, in a file of limited size that only its owner can read."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rerank.core.errors import InvalidInput, SettingError
from rerank.service.proxy.search.hits import HitKey

MAX_BYTES = 32 << 20
"""Size at which a file is rotated. One older file is kept, so that the log has at most twice this size."""
MAX_TEXT = 160
"""Characters of a query or text that a line holds."""
TOP = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShadowRecord:
    """Search of shadow mode. before, after: the first ten hits of OpenSearch and after reranking, best first.

    time: ISO 8601, UTC. index: the expression that the client searched. texts: the beginnings of the texts of the first
    hits of both orders.
    """

    time: str
    index: str
    query: str
    model: str
    before: tuple[HitKey, ...]
    after: tuple[HitKey, ...]
    texts: tuple[str, str]

    @property
    def first_changed(self) -> bool:
        """True if the orders have different first hits."""
        return self.before[:1] != self.after[:1]

    @property
    def top_changed(self) -> bool:
        """True if the first ten hits of the orders differ, in any order."""
        return set(self.before) != set(self.after)

    @property
    def order_changed(self) -> bool:
        """True if the first ten hits differ, or their order."""
        return self.before != self.after

    @property
    def overlap(self) -> float:
        """Fraction of the first ten hits that both orders have in common."""
        return len(set(self.before) & set(self.after)) / len(self.before) if self.before else 1.0

    @classmethod
    def parse(cls, line: str) -> Self:
        """Returns the record of a line. Raises ValueError if it is invalid."""
        try:
            value: dict[str, Any] = json.loads(line)
            before, after = (tuple((str(i), str(hit)) for i, hit in value[name]) for name in ("before", "after"))
            first, second = value["texts"]
            names = {name: str(value[name]) for name in ("time", "index", "query", "model")}
        except (KeyError, TypeError, RecursionError) as exc:
            raise ValueError(f"not a record of shadow mode: {exc}") from exc
        return cls(**names, before=before, after=after, texts=(str(first), str(second)))


class ShadowLog:
    """Log in *file*, to which the workers of a service append. Raises SettingError if the file cannot be written."""

    def __init__(self, file: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._failed = False
        try:
            os.close(self._open())
        except OSError as exc:
            raise SettingError(
                f"proxy_shadow_log: cannot write {file}: {exc.strerror}. Choose a file in a writable folder."
            ) from exc

    def append(self, record: ShadowRecord) -> None:
        """Appends *record*. A failure is logged once, because a full disk must not affect searches."""
        line = json.dumps(asdict(record), separators=(",", ":")).encode() + b"\n"
        try:
            descriptor = self._locked()
            try:
                if os.fstat(descriptor).st_size + len(line) > self._max_bytes:
                    self._file.replace(older_file(self._file))
                    os.close(descriptor)
                    descriptor = self._locked()
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as exc:
            if not self._failed:
                _log.warning("cannot write the log of shadow mode file=%s reason=%s", self._file, exc.strerror)
            self._failed = True
        else:
            self._failed = False

    def _locked(self) -> int:
        """Returns a locked descriptor of the current file; another worker may rotate the file before the lock."""
        while True:
            descriptor = self._open()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                if os.fstat(descriptor).st_ino == self._file.stat().st_ino:
                    return descriptor
            except FileNotFoundError:
                pass
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def older_file(file: Path) -> Path:
    """Returns the name of the rotated file."""
    return file.with_name(f"{file.name}.1")


def read_shadow_log(file: Path) -> Iterator[ShadowRecord]:
    """Yields the records of the rotated file and of *file*, oldest first.

    Raises InvalidInput if *file* cannot be read or has an invalid line. An incomplete last line is skipped.
    """
    for path in (older_file(file), file):
        if path != file and not path.exists():
            continue
        try:
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.endswith("\n"):
                        yield _parsed(line, f"{path}:{number}")
        except OSError as exc:
            raise InvalidInput(
                f"cannot read the log of shadow mode {path}: {exc.strerror}. Set RERANK_PROXY_SHADOW_LOG for the "
                "service and for this command, or pass --log."
            ) from exc


def _parsed(line: str, location: str) -> ShadowRecord:
    try:
        return ShadowRecord.parse(line)
    except ValueError as exc:
        raise InvalidInput(f"{location}: a line must be a record of shadow mode ({exc}). Pass another --log.") from exc
