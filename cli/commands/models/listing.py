"""rerank-cli models list and show."""

from __future__ import annotations

from pathlib import Path

import click

from rerank.cli.flags import COMPUTING, json_flag, settings_flags
from rerank.cli.output import print_json, print_table
from rerank.core.errors import ModelNotFound
from rerank.core.settings import Settings


@click.command(name="list")
@settings_flags("encoder", "reranker", "rerankers", "models_home")
@json_flag
def list_models(*, as_json: bool, settings: Settings) -> None:
    """The built-in models, and those that the settings name."""
    from rerank.models.catalog import catalog
    from rerank.models.promotion import with_promoted

    entries = [entry.to_json() for entry in catalog(with_promoted(settings))]
    if as_json:
        print_json(entries)
        return
    rows = [[e["name"], e["kind"], e["architecture"], "yes" if e["default"] else "", e["path"]] for e in entries]
    print_table(["name", "kind", "architecture", "default", "path"], rows)


@click.command(name="show")
@click.argument("name")
@settings_flags("encoder", "reranker", "rerankers", "models_home", *COMPUTING)
@json_flag
def show(*, name: str, as_json: bool, settings: Settings) -> None:
    """One model. NAME is a built-in name, or one that the settings name."""
    from rerank.models.catalog import catalog
    from rerank.models.promotion import with_promoted

    entries = {entry.name: entry for entry in catalog(with_promoted(settings))}
    if name not in entries:
        raise ModelNotFound(f'no model "{name}"; there are: {", ".join(entries)}')
    shown = {**entries[name].to_json(), **_computed(entries[name].path, settings)}
    if as_json:
        print_json(shown)
    else:
        print_table(["", ""], [[key, value] for key, value in shown.items()])


def _computed(path: Path, settings: Settings) -> dict[str, object]:
    """What computes the model, as far as it has been found out."""
    from rerank.models.computing import Computing
    from rerank.models.conversion import preparation
    from rerank.models.folder import ModelFolder

    found = preparation(ModelFolder.read(path), Computing.of(settings))
    if found is None:
        return {"runtime": None, "precision": None, "converted": None, "ready": False, "trials": []}
    return {key: value for key, value in found.to_json().items() if key != "name"}
