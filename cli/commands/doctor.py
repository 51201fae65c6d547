"""rerank-cli doctor."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from rerank.cli.checks import FAIL, check
from rerank.cli.failures import Misused
from rerank.cli.flags import RANKING, json_flag, settings_flags
from rerank.cli.judged import judged_flags
from rerank.cli.model_checks import Judgments
from rerank.cli.output import print_json, print_table
from rerank.core.settings import Settings


@click.command(name="doctor")
@partial(judged_flags, required=False)
@settings_flags(
    *RANKING,
    "rerankers",
)
@json_flag
@click.pass_context
def command(
    ctx: click.Context,
    *,
    data: Path | None,
    index: str | None,
    split: str | None,
    queries: int | None,
    as_json: bool,
    settings: Settings,
) -> None:
    """Check the installation, the store, the models and the indexes, and say what to do.

    With --data and --index, judged queries are asked too: does the reranker order them better? Each line is ok, warn
    or fail. Exit code 1 when one failed.
    """
    findings = check(settings, _judgments(data, index, split, queries))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(["state", "subject", "finding"], [[f.state, f.subject, f.finding] for f in findings])
    if any(finding.state == FAIL for finding in findings):
        ctx.exit(1)


def _judgments(data: Path | None, index: str | None, split: str | None, queries: int | None) -> Judgments | None:
    if (data is None) != (index is None):
        raise Misused("--data and --index go together: the judgments, and the index that holds their documents")
    return None if data is None or index is None else Judgments(data, index, split, queries)
