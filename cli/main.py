"""The entry point: finds the command, and turns every error into one line and an exit code."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from rerank.cli import logs
from rerank.cli.failures import DONE, INTERRUPTED, Failed, failure

DEBUG = "rerank.debug"

COMMANDS = {
    "ingest": "Bring documents into an index.",
    "search": "Search an index, re-ranked.",
    "evaluate": "Measure a search on judged queries.",
    "serve": "Answer over HTTP.",
    "score": "Say what a cross-encoder says of pairs of texts.",
    "train": "Train models on your own data.",
    "index": "List, show, delete and alias indexes.",
    "models": "List, calibrate and promote models.",
    "wire": "Let OpenSearch's own rerank processor call this service.",
    "doctor": "Check the installation, and say what to do.",
    "demo": "Index a small bilingual corpus and serve it.",
    "config": "Show every setting, its value and where it came from.",
}
"""Said here once, so that --help imports no command."""


class Cli(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """In the order of a first day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"rerank.cli.commands.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest name where there is none."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            raise click.UsageError(
                f"no command {args[0]!r}" + (f"; did you mean {near[0]}?" if near else "; see rerank-cli --help"), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """From the table, not from the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """--debug may stand anywhere before a `--`."""
        until = args.index("--") if "--" in args else len(args)
        ctx.meta[DEBUG] = "--debug" in args[:until]
        return super().parse_args(ctx, [arg for arg in args[:until] if arg != "--debug"] + args[until:])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong becomes one line and an exit code."""
        debug: bool = ctx.meta[DEBUG]
        logs.for_a_command(debug=debug)
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            # Whoever read our output has enough of it. Nothing may be written to it any more, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(DONE) from None
        except (KeyboardInterrupt, click.Abort) as exc:
            click.echo(f"Interrupted: {exc}" if str(exc) else "Interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from exc
        except Exception as exc:
            if debug:
                click.echo(traceback.format_exc(), err=True, nl=False)
            raise failure(exc) from exc


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"rerank-cli {version('rerank')}")
        except PackageNotFoundError as exc:
            raise Failed("rerank is not installed here, only its files are there: make venv installs it") from exc
        ctx.exit()


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks; may also follow the command.")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """Put search results in the right order: retrieve with vectors and words, re-rank with a cross-encoder."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Whatever the locale says: JSON is UTF-8, and a document's text must never stop a command.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    cli.main(args=args, prog_name="rerank-cli")
