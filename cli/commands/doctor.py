"""`rerank-cli doctor`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click
import cloup

from rerank.cli.checks import FAIL, check, repair
from rerank.cli.failures import FAILED
from rerank.cli.judgments import judgment_options
from rerank.cli.model_checks import Judgments
from rerank.cli.options import RANKING, RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_json, print_table
from rerank.cli.searched_index import SearchedIndex
from rerank.core.redaction import redacted
from rerank.core.settings import Settings


@cloup.command(name="doctor", epilog=epilog("rerank-cli doctor --data scifact --index scifact"))
@judgment_options(required=False)
@cloup.option_group(
    "Index",
    *setting_options("store"),
    cloup.option(
        "--repair",
        "repairs",
        is_flag=True,
        help="First rebuild the damaged catalog of an embedded store from its copy and the intact tables.",
    ),
)
@cloup.option_group("Models", *setting_options("encoder", "reranker", "rerankers", *RUNTIME))
@cloup.option_group("Ranking", *setting_options(*RANKING))
@json_option
@with_settings
@click.pass_context
def command(
    ctx: click.Context,
    *,
    data: Path | None,
    index: str | None,
    fields: str | None,
    query_template: Path | None,
    split: str | None,
    queries: int | None,
    repairs: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Check the installation, the models, the store and its indexes.

    Prints one line per check: ok, warn or fail, with the fix. Exits with 1 if a check fails. With --data and --index
    it also measures whether the reranker improves the order of judged queries.
    """
    if index is None and (fields is not None or query_template is not None):
        raise click.UsageError("--fields and --query-template need --data and --index.")
    if (data is None) != (index is None):
        raise click.UsageError(
            "--data and --index must be given together: the judgments, and the index of their documents."
        )
    judgments = None
    if data is not None and index is not None:
        judgments = Judgments(data, SearchedIndex.of(index, fields, query_template), split, queries)
    found = [*(repair(settings) if repairs else []), *check(settings, judgments)]
    findings = [replace(f, finding=redacted(f.finding)) for f in found]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(["state", "subject", "finding"], [[f.state, f.subject, f.finding] for f in findings])
    if any(finding.state == FAIL for finding in findings):
        ctx.exit(FAILED)
