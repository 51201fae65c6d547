"""rerank-cli models list and show."""

from __future__ import annotations

import click

from cli.flags import json_flag, settings_flags
from cli.output import print_json, print_table
from core.errors import ModelNotFound
from core.settings import Settings


@click.command(name="list")
@settings_flags("encoder", "reranker", "rerankers", "models_home")
@json_flag
def list_models(*, as_json: bool, settings: Settings) -> None:
    """The built-in models, and those that the settings name."""
    from models.catalog import catalog
    from models.promotion import with_promoted

    entries = [entry.to_json() for entry in catalog(with_promoted(settings))]
    if as_json:
        print_json(entries)
        return
    rows = [[e["name"], e["kind"], e["architecture"], "yes" if e["default"] else "", e["path"]] for e in entries]
    print_table(["name", "kind", "architecture", "default", "path"], rows)


@click.command(name="show")
@click.argument("name")
@settings_flags("encoder", "reranker", "rerankers", "models_home")
@json_flag
def show(*, name: str, as_json: bool, settings: Settings) -> None:
    """One model. NAME is a built-in name, or one that the settings name."""
    from models.catalog import catalog
    from models.promotion import with_promoted

    entries = {entry.name: entry.to_json() for entry in catalog(with_promoted(settings))}
    if name not in entries:
        raise ModelNotFound(f'no model "{name}"; there are: {", ".join(entries)}')
    if as_json:
        print_json(entries[name])
    else:
        print_table(["", ""], [[key, value] for key, value in entries[name].items()])
