"""The flags of a command that reads judged queries, and the queries themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rerank.core.judgments import Dataset


def judged_flags(command: Callable[..., Any], *, required: bool = True) -> Callable[..., Any]:
    """--data, --index, --split and --queries; the first two *required* or not."""
    flags = [
        click.option(
            "--data",
            required=required,
            type=click.Path(path_type=Path),
            help="A BEIR folder: queries.jsonl and qrels/.",
        ),
        click.option("--index", required=required, help="The index that holds the data's documents."),
        click.option(
            "--split", help="The file in qrels/ to use.  [default: test where there is one, else the only one]"
        ),
        click.option(
            "--queries", type=click.IntRange(min=1), help="Use only so many queries, drawn at random with a fixed seed."
        ),
    ]
    for flag in reversed(flags):
        command = flag(command)
    return command


def judged_queries(folder: Path, split: str | None, queries: int | None) -> Dataset:
    """The judged queries of a BEIR folder, or a sample of them. Raises CorpusError for what cannot be read."""
    from rerank.core.judgments import load_dataset

    judged = load_dataset(folder, split)
    return judged if queries is None else judged.sampled(queries)
