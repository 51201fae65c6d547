"""`rerank-cli wire`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import cloup

from rerank.cli.options import epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_json, print_message
from rerank.core.errors import SettingError
from rerank.core.redaction import masked_location
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.index.opensearch.integration import RerankIntegration

HIDDEN_KEY = "YOUR_KEY"
"""Placeholder for the API key in printed requests."""


@cloup.command(
    name="wire",
    epilog=epilog("rerank-cli wire --store http://localhost:9200 --service-url http://rerank:8000 --apply"),
)
@cloup.option_group(
    "Wiring",
    cloup.option("--service-url", help="URL of this service as OpenSearch sees it.", show_default="from host and port"),
    cloup.option("--model", default="default", show_default=True, help="Name of the reranker."),
    cloup.option(
        "--name", default="rerank", show_default=True, help="Name of the connector, the model and the pipeline."
    ),
    cloup.option(
        "--fields", default="title,text", show_default=True, help="Fields of a hit to score, comma-separated."
    ),
    cloup.option(
        "--oversample",
        type=click.IntRange(1, 1000),
        default=10,
        show_default=True,
        help="Number of result pages to retrieve and rerank.",
    ),
    cloup.option("--elasticsearch", is_flag=True, help="Print the requests for Elasticsearch."),
    cloup.option(
        "--apply",
        "applied",
        is_flag=True,
        help="Send the requests to the OpenSearch server in --store and test the result.",
    ),
)
@cloup.option_group("Index", *setting_options("store"))
@cloup.option_group("Server", *setting_options("host", "port", "api_keys"))
@json_option
@with_settings
def command(
    *,
    service_url: str | None,
    model: str,
    name: str,
    fields: str,
    oversample: int,
    elasticsearch: bool,
    applied: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Configure OpenSearch's own rerank processor to call this service.

    Prints the requests as shell commands. With --apply, sends them instead.
    """
    from rerank.index.opensearch.integration import RerankIntegration, elasticsearch_requests

    if applied and elasticsearch:
        raise click.UsageError("--apply cannot be used with --elasticsearch, which only prints requests.")
    if applied and not settings.store.startswith(("http://", "https://")):
        raise click.UsageError(
            "--apply needs an OpenSearch server as the store. Pass --store http(s)://[user:password@]host:port."
        )
    key = settings.api_keys[0] if settings.api_keys else None
    try:
        integration = RerankIntegration(
            url=service_url or f"http://{settings.host}:{settings.port}",
            model=model,
            key=key if applied or key is None else HIDDEN_KEY,
            name=name,
            fields=tuple(field.strip() for field in fields.split(",") if field.strip()) or ("text",),
            oversample=oversample,
        )
    except SettingError as exc:
        raise click.UsageError(exc.message) from exc
    if applied:
        _apply(settings, integration, as_json=as_json)
        return
    requests = elasticsearch_requests(integration) if elasticsearch else [*integration.requests(), integration.search()]
    if as_json:
        print_json([{"method": r.method, "path": r.path, "body": r.body} for r in requests])
    else:
        _print_curl(
            [(r.method, r.path, r.body) for r in requests], server="ELASTICSEARCH" if elasticsearch else "OPENSEARCH"
        )


def _apply(settings: Settings, integration: RerankIntegration, *, as_json: bool) -> None:
    from rerank.index.opensearch.integration_installer import install_integration

    installed = install_integration(
        settings.store, integration, api_key=settings.store_api_key, ca_file=settings.store_ca_file
    )
    unrelated, relevant = installed.trial_scores
    if as_json:
        ids = {"connector_id": installed.connector_id, "model_id": installed.model_id, "pipeline": installed.pipeline}
        print_json({**ids, "trial": [unrelated, relevant]})
        return
    click.echo(f"connector {installed.connector_id}, model {installed.model_id}, search pipeline {installed.pipeline}")
    print_message(
        f"{masked_location(settings.store)} calls {integration.url}. Test scores: {relevant:.3f} for a relevant text, "
        f"{unrelated:.3f} for an unrelated text. Search with ?search_pipeline={installed.pipeline}."
    )


def _print_curl(requests: Sequence[tuple[str, str, object]], *, server: str) -> None:
    """Prints shell commands. The last one is a search that uses what the others create."""
    for method, path, body in requests[:-1]:
        click.echo(_curl(server, method, path, body))
    click.echo(f"# Example search:\n{_curl(server, *requests[-1])}")
    print_message(
        f"Set {server} to the server's URL. Replace CONNECTOR_ID and MODEL_ID with the ids in its responses, and INDEX"
        " with your index."
    )


def _curl(server: str, method: str, path: str, body: object) -> str:
    data = shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))
    return f"curl -X {method} \"${server}{path}\" -H 'Content-Type: application/json' -d {data}\n"
