"""`rerank-cli serve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import cloup

from rerank.cli import logs
from rerank.cli.options import RANKING, READ_SETTINGS, RUNTIME, epilog, setting_options, with_settings
from rerank.core.settings import Settings


def serving_options(*server: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns the options of a command that runs the service; the options *server* join its group Server."""
    groups = [
        cloup.option_group("Index", *setting_options("store")),
        cloup.option_group("Models", *setting_options("encoder", "reranker", "rerankers", "model_names", *RUNTIME)),
        cloup.option_group("Ranking", *setting_options("k", *RANKING, "timeout_ms")),
        cloup.option_group("Proxy", *setting_options("proxy_indexes")),
        cloup.option_group("Server", *setting_options("host", "port", "threads", "api_keys"), *server),
    ]

    def decorated(command: Any) -> Any:
        for group in reversed(groups):
            command = group(command)
        return command

    return decorated


@cloup.command(name="serve", epilog=epilog("rerank-cli serve --store http://localhost:9200 --workers 2"))
@serving_options(
    cloup.option(
        "--workers",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Number of worker processes. Each loads its own models.",
    ),
    cloup.option("--insecure", is_flag=True, help="Allow a non-loopback --host without API keys."),
)
@with_settings
@click.pass_context
def command(ctx: click.Context, *, workers: int, insecure: bool, settings: Settings) -> None:
    """Run the HTTP service in the foreground.

    SIGTERM and Ctrl-C stop the service after the running requests have finished. SIGHUP reads the settings again and
    reloads models, model names and API keys.
    """
    from rerank.service.server import serve

    logs.configure_service_logging()
    ctx.exit(serve(settings, workers=workers, insecure=insecure, read_settings=ctx.meta[READ_SETTINGS]))
