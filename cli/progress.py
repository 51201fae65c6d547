"""Progress over a known number of steps: one updated line on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import click

TERMINAL_SECONDS, LINE_SECONDS = 0.2, 5.0
"""Minimum time between two updates, in seconds."""


class StepProgress:
    """Progress of *label* on stderr, used as a context manager. Prints nothing before the first step."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._started = self._updated = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._line_is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line_is_open:
            click.echo(err=True)

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Shows that *done* of *total* steps are complete. *note* is an additional figure, such as the loss."""
        now = time.monotonic()
        if now - self._updated < (TERMINAL_SECONDS if self._terminal else LINE_SECONDS) and done < total:
            return
        self._updated = now
        rate = done / (now - self._started) if now > self._started else 0.0
        left = "done" if done >= total else f"{(total - done) / rate:.0f} s left" if rate else ""
        parts = [f"{self._label}: {done} of {total} ({done / total:.0%})", f"{rate:.1f}/s", left, note]
        line = ", ".join(part for part in parts if part)
        if self._terminal:
            click.echo(f"\r\x1b[2K{line}", nl=False, err=True)
            self._line_is_open = True
        else:
            click.echo(line, err=True)
