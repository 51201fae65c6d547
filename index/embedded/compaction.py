"""Compaction in the background: each write adds a version and a fragment, and a search reads all fragments."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rerank.core.errors import RerankError

WRITES = 32
"""Number of writes of this process after which a table is compacted."""
IDLE_FACTOR = 9
"""Pause after a compaction as a multiple of its duration, so that compactions take at most a tenth of the time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compacted:
    """Number of fragments of a table before and after a compaction, and its duration without waits in seconds."""

    before: int
    after: int
    seconds: float


class CompactedTable(Protocol):
    """Table that a compactor compacts."""

    @property
    def name(self) -> str:
        """Name of the index."""

    def compact(self) -> Compacted | None:
        """Merges fragments and deletes old versions, beside readers. Returns None if there was nothing to do."""


@dataclass(frozen=True, slots=True)
class _Task:
    """Compaction of *table* from the time *at* on. cleans: it follows another one and deletes the replaced versions."""

    at: float
    table: CompactedTable
    cleans: bool = False


class Compactor:
    """Background thread that compacts the tables of one store after a number of writes.

    It starts with the first compaction. writes: number of writes of this process to a table. clean_after: seconds
    after which versions of a table that were replaced by a compaction can be deleted. clock: monotonic seconds.
    """

    def __init__(
        self, *, writes: int = WRITES, clean_after: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._writes = writes
        self._clean_after = clean_after
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._due: dict[str, _Task] = {}
        self._pause_until = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def written(self, table_name: str, table: CompactedTable) -> None:
        """Counts one write to *table* and schedules its compaction when it is due."""
        with self._changed:
            count = self._counts[table_name] = self._counts.get(table_name, 0) + 1
            if count < self._writes or self._closed:
                return
            self._counts[table_name] = 0
            self._due[table_name] = _Task(self._clock(), table)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="compaction", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Waits for a compaction in progress, and drops the scheduled ones."""
        with self._changed:
            self._closed = True
            self._due.clear()
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def compact_due(self) -> None:
        """Compacts the tables that are due now, one after another."""
        while (entry := self._next_due()) is not None:
            self._compact(*entry)

    def _run(self) -> None:
        while True:
            self.compact_due()
            with self._changed:
                if self._closed:
                    return
                self._changed.wait(self._seconds_to_wait())

    def _next_due(self) -> tuple[str, _Task] | None:
        with self._changed:
            now = self._clock()
            due = [name for name, task in self._due.items() if task.at <= now]
            if not due or now < self._pause_until or self._closed:
                return None
            return due[0], self._due.pop(due[0])

    def _seconds_to_wait(self) -> float | None:
        if not self._due:
            return None
        first = max(min(task.at for task in self._due.values()), self._pause_until)
        return max(first - self._clock(), 0.01)

    def _compact(self, table_name: str, task: _Task) -> None:
        try:
            compacted = task.table.compact()
        except RerankError as exc:
            # Searches work without a compaction, and a deleted table needs none. The next writes schedule another one.
            _log.info("compaction failed index=%s reason=%s", task.table.name, exc)
            return
        with self._changed:
            if not task.cleans and not self._closed:
                # The replaced versions stay for searches in progress. A second compaction deletes them.
                cleaning = _Task(self._clock() + self._clean_after, task.table, cleans=True)
                self._due.setdefault(table_name, cleaning)
            if compacted is None:
                return
            self._pause_until = self._clock() + IDLE_FACTOR * compacted.seconds
        _log.info(
            "compacted index=%s fragments=%d->%d seconds=%.1f",
            task.table.name,
            compacted.before,
            compacted.after,
            compacted.seconds,
        )
