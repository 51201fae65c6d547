"""`rerank-cli conformance`."""

from __future__ import annotations

import click
import cloup

from rerank.cli.options import epilog, json_option
from rerank.cli.output import print_json, print_table


@cloup.command(name="conformance", epilog=epilog("rerank-cli conformance http://localhost:8000 --json", settings=False))
@cloup.argument("url", help="URL of the server, without the path of an API.")
@cloup.option("--api-key", help="API key, sent as Authorization: Bearer.")
@cloup.option("--model", default="default", show_default=True, help="Name of the model in the requests.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, url: str, api_key: str | None, model: str, as_json: bool) -> None:
    """Check a rerank or embedding server against every API.

    For each API, sends requests as its clients do and checks the responses: status, keys, order, number of results,
    unknown keys and errors. The exit code is 1 if an API that the server offers failed.
    """
    from rerank.cli.conformance.checks import check_server, failed
    from rerank.cli.conformance.exchange import Server

    findings = check_server(Server(url, api_key), model=model)
    if as_json:
        print_json([finding.to_json() for finding in findings])
    else:
        rows = [(finding.api, finding.path, finding.result, finding.detail) for finding in findings]
        print_table(("api", "path", "result", "detail"), rows)
    if failed(findings):
        ctx.exit(1)
