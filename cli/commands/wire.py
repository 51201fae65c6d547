"""rerank-cli wire."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rerank.cli.failures import Misused
from rerank.cli.flags import json_flag, settings_flags
from rerank.cli.output import print_json, tell
from rerank.core.errors import SettingError
from rerank.core.settings import Settings, masked_location

if TYPE_CHECKING:
    from rerank.index.opensearch.integration import RerankIntegration

HIDDEN_KEY = "YOUR_KEY"
"""Stands for an API key in what is printed."""


@click.command(name="wire")
@click.option("--service-url", help="This service's address as the server sees it.  [default: from host and port]")
@click.option("--model", default="default", show_default=True, help="The reranker that is asked for.")
@click.option("--name", default="rerank", show_default=True, help="Of the connector, the model and the pipeline.")
@click.option("--fields", default="title,text", show_default=True, help="What is read of a hit, comma-separated.")
@click.option(
    "--oversample", type=click.IntRange(1, 1000), default=10, show_default=True, help="Pages that are re-ranked."
)
@click.option("--elasticsearch", is_flag=True, help="Print Elasticsearch's side instead.")
@click.option("--apply", "applied", is_flag=True, help="Tell the OpenSearch of the setting store, and try it.")
@settings_flags("store", "host", "port", "api_keys")
@json_flag
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
    """What OpenSearch must be told so that its own rerank processor calls this service."""
    from rerank.index.opensearch.integration import RerankIntegration, elasticsearch_requests

    if applied and elasticsearch:
        raise Misused("--elasticsearch is only printed; leave --apply out")
    if applied and not settings.store.startswith(("http://", "https://")):
        raise Misused("--apply needs an OpenSearch: --store http(s)://[user:password@]host:port")
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
        raise Misused(exc.message) from exc
    if applied:
        _apply(settings, integration, as_json=as_json)
        return
    requests = elasticsearch_requests(integration) if elasticsearch else [*integration.requests(), integration.search()]
    if as_json:
        print_json([{"method": r.method, "path": r.path, "body": r.body} for r in requests])
    else:
        _print(
            [(r.method, r.path, r.body) for r in requests], server="ELASTICSEARCH" if elasticsearch else "OPENSEARCH"
        )


def _apply(settings: Settings, integration: RerankIntegration, *, as_json: bool) -> None:
    from rerank.index.opensearch.integration_installer import install_integration

    installed = install_integration(settings.store, integration)
    unrelated, relevant = installed.trial_scores
    if as_json:
        made = {"connector_id": installed.connector_id, "model_id": installed.model_id, "pipeline": installed.pipeline}
        print_json({**made, "trial": [unrelated, relevant]})
        return
    click.echo(f"connector {installed.connector_id}, model {installed.model_id}, search pipeline {installed.pipeline}")
    tell(
        f"{masked_location(settings.store)} calls {integration.url}: in a trial the relevant text scored "
        f"{relevant:.3f}, an unrelated one {unrelated:.3f}; search with ?search_pipeline={installed.pipeline}"
    )


def _print(requests: Sequence[tuple[str, str, object]], *, server: str) -> None:
    """Lines for a shell, the last one a search that uses what the others made."""
    for method, path, body in requests[:-1]:
        click.echo(_curl(server, method, path, body))
    click.echo(f"# then, for example:\n{_curl(server, *requests[-1])}")
    tell(f"set {server} to the server's address; CONNECTOR_ID, MODEL_ID and INDEX are from its answers and yours")


def _curl(server: str, method: str, path: str, body: object) -> str:
    sent = shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))
    return f"curl -X {method} \"${server}{path}\" -H 'Content-Type: application/json' -d {sent}\n"
