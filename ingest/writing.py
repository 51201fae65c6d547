"""Writing to the index while the next batch is being encoded."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from threading import Event, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

MAX_WAITING = 2
"""Encoded batches that wait to be written: enough to keep the encoder busy, few enough to bound memory."""

T = TypeVar("T")


class BackgroundWriter(Generic[T]):
    """Calls *write* with each item in order, on a thread of its own.

    Leaving the block normally waits until all is written; leaving it by an error or Ctrl-C finishes the item being
    written and drops the rest. What *write* raises is raised by the next put(), or on leaving.
    """

    def __init__(self, write: Callable[[T], None], *, given_up: Event) -> None:
        self._write = write
        self._given_up = given_up
        self._waiting: Queue[T | None] = Queue(MAX_WAITING)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="ingest-writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._given_up.set()
        self._waiting.put(None)
        self._thread.join()
        if kind is None:
            self._raise_error()

    def put(self, item: T) -> None:
        """Hand *item* over; waits while too many are waiting."""
        self._raise_error()
        self._waiting.put(item)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            # Items are still taken after an error, so that put() never waits for ever.
            if self._error is None and not self._given_up.is_set():
                try:
                    self._write(item)
                except BaseException as exc:  # noqa: BLE001  # carried over to the thread that waits for it
                    self._error = exc
