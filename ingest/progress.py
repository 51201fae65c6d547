"""How a run shows where it is: a bar on a terminal, lines every few seconds elsewhere, or nothing."""

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
"""Between two lines where there is no terminal."""


class Progress(Protocol):
    """Told by a run where it is. Sizes are in bytes of the corpus as it lies on disk."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self, stage: str, *, size: int) -> None:
        """A stage begins: its name, and how much there is to do; 0 when that is not known."""

    def advance(self, *, done: int, documents: int) -> None:
        """So much of the stage's size, and so many documents, are done since it began."""

    def say(self, message: str) -> None:
        """Something that the user should know now."""


class SilentProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, stage: str, *, size: int) -> None:
        """Nothing."""

    def advance(self, *, done: int, documents: int) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""


class LineProgress:
    """A plain line every few seconds, for logs and pipes. *clock* gives seconds."""

    def __init__(
        self, stream: TextIO, *, seconds: float = LINE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._seconds = seconds
        self._clock = clock
        self._stage = ""
        self._size = 0
        self._started = self._shown = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, stage: str, *, size: int) -> None:
        """A line that names the stage."""
        self._stage, self._size = stage, size
        self._started = self._shown = self._clock()
        self.say(stage)

    def advance(self, *, done: int, documents: int) -> None:
        """A line with share, count, rate and time left, when the last one is old enough."""
        now = self._clock()
        if now - self._shown < self._seconds:
            return
        self._shown = now
        elapsed = now - self._started
        share = min(done / self._size, 1.0) if self._size else 0.0
        left = _duration(elapsed / share - elapsed) if share else "unknown"
        self.say(
            f"{self._stage}: {share:.0%}, {documents:,} documents, {documents / elapsed:,.0f} documents/s, {left} left"
        )

    def say(self, message: str) -> None:
        """The message on a line of its own."""
        self._stream.write(f"{message}\n")
        self._stream.flush()


class BarProgress:
    """A bar with share, count, rate and time left."""

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
        """A bar of its own for the stage; the one before is full."""
        for task in self._bar.tasks:
            self._bar.update(task.id, completed=task.total or 0)
        self._bar.add_task(stage, total=size or None, documents=0, left="left" if size else "")

    def advance(self, *, done: int, documents: int) -> None:
        """Move the bar."""
        if self._bar.tasks:
            self._bar.update(self._bar.tasks[-1].id, completed=done, documents=documents)

    def say(self, message: str) -> None:
        """The message above the bar."""
        self._console.print(message, markup=False, highlight=False)


class _DocumentsColumn(ProgressColumn):
    """Documents done, and how many a second; nothing where there is nothing to count."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        documents = int(task.fields.get("documents", 0))
        seconds = task.finished_time or task.elapsed
        rate = documents / seconds if seconds else 0.0
        return Text(f"{documents:,} documents, {rate:,.0f}/s")


def progress_on(stream: TextIO) -> Progress:
    """The fitting one for *stream*, standard error as a rule."""
    return BarProgress(stream) if stream.isatty() else LineProgress(stream)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
