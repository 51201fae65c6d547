"""Entry point of `rerank-cli`: imports the command that is called, and turns errors into a line and an exit code."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click
import cloup

from rerank.cli import logs
from rerank.cli.failures import DONE, INTERRUPTED, click_error
from rerank.core.redaction import redacted

DEBUG = "rerank.debug"
DISTRIBUTION = "rerank-service"

SECTIONS = {
    "Index and search": {
        "ingest": "Index documents, or update an index.",
        "search": "Search an index and rerank the results.",
        "evaluate": "Measure search quality on judged queries.",
        "index": "List, show, delete and alias indexes.",
    },
    "Service": {
        "serve": "Run the HTTP service.",
        "shadow": "Report how reranking would change real searches.",
        "wire": "Connect OpenSearch's own rerank processor to the service.",
        "conformance": "Check a server against every rerank and embedding API.",
        "demo": "Index a small bilingual corpus and serve it.",
    },
    "Models": {
        "models": "List, convert, calibrate and promote models.",
        "train": "Train a model on your own data.",
        "score": "Score pairs of texts with a cross-encoder.",
    },
    "Setup": {
        "doctor": "Check the installation, the models and the store.",
        "config": "Show all settings, their values and sources.",
    },
}
"""Help texts of the commands. They are here so that --help imports no command."""

COMMANDS = {name: text for commands in SECTIONS.values() for name, text in commands.items()}


class LazyGroup(cloup.Group):
    """Group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Returns the names of all commands in the order of --help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """Imports and returns the command named *cmd_name*."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"rerank.cli.commands.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command_name(self, ctx: click.Context, name: str) -> str | None:  # noqa: ARG002  # cloup's signature
        """Returns *name* if it is a command."""
        return name if name in COMMANDS else None

    def handle_bad_command_name(
        self,
        bad_name: str,
        valid_names: list[str],  # noqa: ARG002  # cloup passes the names of the loaded commands: none
        error: click.UsageError,
    ) -> click.UsageError:
        """Returns an error that suggests the command nearest to *bad_name*."""
        return super().handle_bad_command_name(bad_name, list(COMMANDS), error)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """Writes the commands by section, without importing them."""
        assert isinstance(formatter, cloup.HelpFormatter)
        sections = [cloup.HelpSection(title, list(commands.items())) for title, commands in SECTIONS.items()]
        formatter.write_many_sections(sections, aligned=True)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Accepts --debug anywhere before `--`."""
        end = args.index("--") if "--" in args else len(args)
        ctx.meta[DEBUG] = "--debug" in args[:end]
        return super().parse_args(ctx, [arg for arg in args[:end] if arg != "--debug"] + args[end:])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command and turns its exceptions into one line and an exit code."""
        debug: bool = ctx.meta[DEBUG]
        logs.configure_command_logging(debug=debug)
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            # The reader closed the pipe. Python would fail again when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(DONE) from None
        except (KeyboardInterrupt, click.Abort) as exc:
            click.echo(f"Interrupted. {exc}".rstrip(), err=True)
            raise click.exceptions.Exit(INTERRUPTED) from exc
        except Exception as exc:
            if debug:
                click.echo(redacted(traceback.format_exc()), err=True, nl=False)
            raise click_error(exc) from exc


def _print_version(ctx: click.Context, _: click.Parameter, requested: bool) -> None:
    if requested and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"rerank-cli {version(DISTRIBUTION)}")
        except PackageNotFoundError as exc:
            raise click.ClickException(f"{DISTRIBUTION} is not installed in this environment. Run: make venv") from exc
        ctx.exit()


@cloup.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@cloup.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    help="Show the traceback of an error. Also accepted after the command.",
)
@cloup.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """Retrieve documents with vectors and words, and rerank them with a cross-encoder."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 usage error, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # JSON is UTF-8 in every locale, and a character in a document must never stop a command.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    cli.main(args=args, prog_name="rerank-cli")
