"""rerank-cli serve."""

from __future__ import annotations

import click

from rerank.cli import logs
from rerank.cli.flags import RANKING, settings_flags
from rerank.core.settings import Settings

SERVING = (
    "host",
    "port",
    "threads",
    "contenders",
    "passage_tokens",
    "max_waiting",
    "score_cache_mb",
    "max_body_mb",
    "api_keys",
    *RANKING,
    "rerankers",
    "k",
    "timeout_ms",
    "proxy_indexes",
    "proxy_shadow",
    "proxy_timeout_s",
)
"""The settings that a running service uses."""


@click.command(name="serve")
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes, each with its own models."
)
@click.option("--insecure", is_flag=True, help="Listen beyond this machine without API keys.")
@settings_flags(*SERVING)
@click.pass_context
def command(ctx: click.Context, *, workers: int, insecure: bool, settings: Settings) -> None:
    """Answer over HTTP, in the foreground. SIGTERM lets running requests end, and stops."""
    from rerank.service.server import serve

    logs.for_a_service()
    ctx.exit(serve(settings, workers=workers, insecure=insecure))
