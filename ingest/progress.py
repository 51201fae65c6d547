"""Progress of a run: a bar on a terminal, a line every few seconds elsewhere, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from rich.table import Column
from rich.text import Text

LINE_SECONDS = 5.0
"""Seconds between two lines."""


class Progress(Protocol):
    """Display of a run's progress. Sizes are bytes of the corpus files."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self, stage: str, *, size: int) -> None:
        """Starts a stage. size: its total size; 0 if unknown."""

    def advance(self, *, done: int, documents: int) -> None:
        """Updates the stage. done, documents: size and documents that are complete."""

    def report(self, message: str) -> None:
        """Shows a message."""


class SilentProgress:
    """Progress that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, stage: str, *, size: int) -> None:
        """Does nothing."""

    def advance(self, *, done: int, documents: int) -> None:
        """Does nothing."""

    def report(self, message: str) -> None:
        """Does nothing."""


class LineProgress:
    """Plain line every few seconds, for logs and pipes. interval: seconds. clock: function that returns seconds."""

    def __init__(
        self, stream: TextIO, *, interval: float = LINE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._interval = interval
        self._clock = clock
        self._stage = ""
        self._size = 0
        self._started = self._last_line = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, stage: str, *, size: int) -> None:
        """Writes a line with the name of the stage."""
        self._stage, self._size = stage, size
        self._started = self._last_line = self._clock()
        self.report(stage)

    def advance(self, *, done: int, documents: int) -> None:
        """Writes a line with percentage, count, rate and remaining time, unless the last line is too recent."""
        now = self._clock()
        if now - self._last_line < self._interval:
            return
        self._last_line = now
        elapsed = now - self._started
        fraction = min(done / self._size, 1.0) if self._size else 0.0
        left = _duration(elapsed / fraction - elapsed) if fraction else "unknown time"
        rate = documents / elapsed
        self.report(f"{self._stage}: {fraction:.0%}, {documents:,} documents, {rate:,.0f} documents/s, {left} left")

    def report(self, message: str) -> None:
        """Writes the message as one line."""
        self._stream.write(f"{message}\n")
        self._stream.flush()


class BarProgress:
    """Bar with percentage, count, rate and remaining time."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            _DocumentsColumn(Column(no_wrap=True)),
            TimeRemainingColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, stage: str, *, size: int) -> None:
        """Completes the previous bar and adds one for the stage."""
        for task in self._bar.tasks:
            self._bar.update(task.id, completed=task.total or 0)
        self._bar.add_task(stage, total=size or None, documents=0, left="left" if size else "")

    def advance(self, *, done: int, documents: int) -> None:
        """Moves the bar."""
        if self._bar.tasks:
            self._bar.update(self._bar.tasks[-1].id, completed=done, documents=documents)

    def report(self, message: str) -> None:
        """Prints the message above the bar."""
        self._console.print(message, markup=False, highlight=False)


class _DocumentsColumn(ProgressColumn):
    """Column with the number of documents and the rate; empty for a stage without a size."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        documents = int(task.fields.get("documents", 0))
        seconds = task.finished_time or task.elapsed
        rate = documents / seconds if seconds else 0.0
        return Text(f"{documents:,} documents, {rate:,.0f}/s")


def progress_on(stream: TextIO) -> Progress:
    """Returns a bar if *stream* is a terminal, else lines."""
    return BarProgress(stream) if stream.isatty() else LineProgress(stream)


def _duration(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
