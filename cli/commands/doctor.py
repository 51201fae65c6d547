"""rerank-cli doctor."""

from __future__ import annotations

from dataclasses import asdict

import click

from cli.checks import FAIL, check
from cli.flags import json_flag, settings_flags
from cli.output import print_json, print_table
from core.settings import Settings


@click.command(name="doctor")
@settings_flags("store", "encoder", "reranker", "rerankers", "models_home", "runtime")
@json_flag
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, settings: Settings) -> None:
    """Check the installation, the store, the models and the indexes' encoder, and say what to do.

    Each line is ok, warn or fail. Exit code 1 when one failed.
    """
    findings = check(settings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(["state", "subject", "finding"], [[f.state, f.subject, f.finding] for f in findings])
    if any(finding.state == FAIL for finding in findings):
        ctx.exit(1)
