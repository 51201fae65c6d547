"""`rerank-cli models`."""

from __future__ import annotations

import cloup

from rerank.cli.commands.models.calibrate import calibrate
from rerank.cli.commands.models.convert import convert
from rerank.cli.commands.models.listing import list_models, show
from rerank.cli.commands.models.promote import promote, rollback


@cloup.group(
    name="models", sections=[cloup.Section("Commands", [list_models, show, convert, calibrate, promote, rollback])]
)
def command() -> None:
    """List, convert, calibrate and promote models."""
