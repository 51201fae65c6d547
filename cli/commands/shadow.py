"""`rerank-cli shadow`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from rerank.cli.options import epilog, json_option, with_settings
from rerank.cli.output import print_json, print_message, print_table, shortened
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.service.proxy.search.shadow_report import ShadowReport

QUERY_CHARS, HIT_CHARS = 40, 60


@cloup.group(name="shadow")
def command() -> None:
    """Report what shadow mode of the proxy recorded."""


@command.command(name="report", epilog=epilog("rerank-cli shadow report --log shadow.jsonl"))
@cloup.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that the service wrote.",
    show_default="the setting proxy_shadow_log",
)
@cloup.option(
    "--examples",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Number of queries to show, those that changed most first.",
)
@json_option
@with_settings
def report(*, log: Path | None, examples: int, as_json: bool, settings: Settings) -> None:
    """Show how often reranking would change the hits of real searches.

    Needs no judgments. Counts the searches whose first hit or first ten hits change, and lists the queries that change
    most, with their first hits before and after.
    """
    from rerank.service.proxy.search.shadow_log import read_shadow_log
    from rerank.service.proxy.search.shadow_report import ShadowReport

    if log is None and not settings.proxy_shadow_log:
        raise click.UsageError("Pass --log, or set RERANK_PROXY_SHADOW_LOG to the file that the service writes.")
    file = Path(settings.proxy_shadow_log) if log is None else log
    result = ShadowReport.of(read_shadow_log(file), examples=examples)
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)


def _print(result: ShadowReport) -> None:
    if not result.searches:
        print_message("The log has no searches yet.")
        return
    click.echo(f"{result.searches} searches from {result.first} to {result.last}\n")
    counts = {
        "first hit changed": result.first_changed,
        "first ten hits changed": result.top_changed,
        "order of the first ten hits changed": result.order_changed,
    }
    rows = [[name, count, f"{count / result.searches:.1%}"] for name, count in counts.items()]
    print_table(["searches whose", "number", "percentage"], rows)
    click.echo(f"\nOn average, {result.overlap:.1%} of the first ten hits stay among the first ten.\n")
    if result.queries:
        print_table(
            ["query", "index", "searches", "overlap", "first hit before", "first hit after"],
            [
                [
                    shortened(query.query, QUERY_CHARS),
                    query.index,
                    query.searches,
                    f"{query.overlap:.0%}",
                    *(
                        shortened(f"{order[0][1]}: {text}", HIT_CHARS) if order else "-"
                        for order, text in zip(
                            (query.example.before, query.example.after), query.example.texts, strict=True
                        )
                    ),
                ]
                for query in result.queries
            ],
        )
