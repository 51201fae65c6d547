"""Options of the commands that use judged queries, and the queries that they select."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup

from rerank.cli.searched_index import SEARCH_OPTIONS

if TYPE_CHECKING:
    from rerank.core.judgments import Dataset

split_option = cloup.option(
    "--split", help="Judgment file in qrels/, without .tsv.", show_default="test if it exists, else the only file"
)
queries_option = cloup.option(
    "--queries",
    type=click.IntRange(min=1),
    help="Number of queries to use, sampled with a fixed seed.",
    show_default="all",
)


def judgment_options(*, required: bool) -> Callable[[Any], Any]:
    """Returns the options of the judgments and of the index to search; --data and --index are *required* or not."""
    return cloup.option_group(
        "Judgments",
        cloup.option(
            "--data",
            required=required,
            type=click.Path(path_type=Path),
            help="BEIR folder with queries.jsonl and qrels/.",
        ),
        cloup.option("--index", required=required, help="Index that holds the documents of --data."),
        *SEARCH_OPTIONS,
        split_option,
        queries_option,
    )


def judged_queries(folder: Path, split: str | None, queries: int | None) -> Dataset:
    """Returns the judged queries of a BEIR folder, or a sample of them.

    Raises CorpusError when the folder cannot be read.
    """
    from rerank.core.judgments import load_dataset

    judged = load_dataset(folder, split)
    return judged if queries is None else judged.sampled(queries)
