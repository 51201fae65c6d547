"""Output of the commands: data as JSON or tables on stdout, messages on stderr.

rich formats the tables. On a terminal they fit its width. In a pipe or a file they are plain text: one line per row,
no colour codes, nothing truncated.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rerank.core.redaction import redacted

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 1_000_000
"""Columns where stdout is not a terminal: more than any row needs, so that rich never wraps one."""


def print_json(value: object) -> None:
    """Prints one JSON value, indented, as UTF-8."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints *rows* in columns below *header*. Columns that hold only numbers are right-aligned."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(header):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    _print(table)


def print_fields(fields: Mapping[str, object]) -> None:
    """Prints *fields* as two columns, name and value."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(Text(name), Text(", ".join(value) if isinstance(value, list) else str(value)))
    _print(table)


def print_message(message: str) -> None:
    """Prints a message for the user on stderr."""
    click.echo(redacted(message), err=True)


def shortened(text: str, length: int) -> str:
    """Returns *text* on one line, cut to *length* characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def absolute(path: str | Path) -> str:
    """Returns *path* as it is shown to the user: absolute, with `~` expanded."""
    return str(Path(path).expanduser().resolve())


def store_location(store: str) -> str:
    """Returns the setting *store* as it is shown to the user: an absolute path, or a URL without its password."""
    from rerank.core.redaction import masked_location

    return masked_location(store) if "://" in store or masked_location(store) != store else absolute(store)


def _print(table: Table) -> None:
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(force_terminal=terminal, width=None if terminal else PIPE_WIDTH)
    # Captured because rich ends the process with exit code 1 when the reader closes the pipe.
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())
