"""Background thread that writes batches to the index while the next ones are encoded."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from threading import Event, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

MAX_QUEUED = 2
"""Maximum number of encoded batches in the queue: enough to keep the encoder busy, few enough to limit memory."""

T = TypeVar("T")


class BackgroundWriter(Generic[T]):
    """Thread that calls *write* with each item, in order.

    The end of the block waits for all items. After an error or Ctrl-C, the writer sets *cancelled*, finishes the
    current item and drops the queued ones. The next put() or the end of the block raises an error of *write*.
    """

    def __init__(self, write: Callable[[T], None], *, cancelled: Event) -> None:
        self._write = write
        self._cancelled = cancelled
        self._queue: Queue[T | None] = Queue(MAX_QUEUED)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="ingest-writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._cancelled.set()
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise_error()

    def put(self, item: T) -> None:
        """Adds *item* to the queue; blocks while the queue is full."""
        self._raise_error()
        self._queue.put(item)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            # After an error the queue is still emptied, so that put() does not block forever.
            if self._error is None and not self._cancelled.is_set():
                try:
                    self._write(item)
                except BaseException as exc:  # noqa: BLE001  # raised again in the thread that calls put()
                    self._error = exc
