"""Progress over a known number of steps: a bar with the time left on a terminal, a line now and then otherwise."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import click

LINE_SECONDS = 5.0


class Steps:
    """Shows how far *label* has got, on stderr. Use it as a context; it says nothing until the first step."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._started = self._shown = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            click.echo(err=True)

    def advance(self, done: int, of: int, note: str = "") -> None:
        """*done* steps *of* all are behind us; *note* is the latest figure worth seeing."""
        now = time.monotonic()
        pause = 0.2 if self._terminal else LINE_SECONDS
        if now - self._shown < pause and done < of:
            return
        self._shown = now
        rate = done / (now - self._started) if now > self._started else 0.0
        left = f"{(of - done) / rate:.0f} s left" if rate and done < of else "done" if done >= of else ""
        line = f"{self._label}: {done} of {of} ({done / of:.0%}), {rate:.1f}/s, {left}{', ' + note if note else ''}"
        if self._terminal:
            click.echo(f"\r\x1b[2K{line}", nl=False, err=True)
            self._open = True
        else:
            click.echo(line, err=True)
