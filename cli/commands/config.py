"""rerank-cli config."""

from __future__ import annotations

import click

from rerank.cli.flags import json_flag, loaded
from rerank.cli.output import print_json, print_table
from rerank.core.settings import PREFIX


@click.command(name="config")
@json_flag
def command(*, as_json: bool) -> None:
    """Show every setting, its value and where it came from; passwords and keys are masked."""
    found = loaded({})
    values = found.settings.masked()
    if as_json:
        print_json({name: {"value": value, "origin": found.origins[name]} for name, value in values.items()})
        return
    rows = [[name, _spelled(value), found.origins[name], PREFIX + name.upper()] for name, value in values.items()]
    print_table(["setting", "value", "from", "environment"], rows)


def _spelled(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
