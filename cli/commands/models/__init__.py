"""rerank-cli models."""

from __future__ import annotations

import click

from rerank.cli.commands.models.calibrate import calibrate
from rerank.cli.commands.models.convert import convert
from rerank.cli.commands.models.listing import list_models, show
from rerank.cli.commands.models.promote import promote, rollback


@click.group(name="models")
def command() -> None:
    """List, show and convert models, calibrate their scores, and choose the default one by what judgments say."""


for _each in (list_models, show, convert, calibrate, promote, rollback):
    command.add_command(_each)
