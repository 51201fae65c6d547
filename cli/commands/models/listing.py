"""`rerank-cli models list` and `rerank-cli models show`."""

from __future__ import annotations

from pathlib import Path

import cloup

from rerank.cli.options import RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_fields, print_json, print_table
from rerank.core.errors import ModelNotFound
from rerank.core.settings import Settings

CONFIGURED = ("encoder", "reranker", "rerankers")


@cloup.command(name="list", epilog=epilog("rerank-cli models list --json"))
@cloup.option_group("Models", *setting_options(*CONFIGURED))
@json_option
@with_settings
def list_models(*, as_json: bool, settings: Settings) -> None:
    """List the built-in models and the models that the settings name."""
    from rerank.models.catalog import catalog
    from rerank.models.promotion import with_promoted

    entries = [entry.to_json() for entry in catalog(with_promoted(settings))]
    if as_json:
        print_json(entries)
        return
    rows = [[e["name"], e["kind"], e["architecture"], "yes" if e["default"] else "", e["path"]] for e in entries]
    print_table(["name", "kind", "architecture", "default", "path"], rows)


@cloup.command(name="show", epilog=epilog("rerank-cli models show e5-small-western-v1"))
@cloup.argument("name")
@cloup.option_group("Models", *setting_options(*CONFIGURED, *RUNTIME))
@json_option
@with_settings
def show(*, name: str, as_json: bool, settings: Settings) -> None:
    """Show a model and the runtime that runs it.

    NAME is a built-in name or a model that the settings name.
    """
    from rerank.models.catalog import catalog
    from rerank.models.promotion import with_promoted

    entries = {entry.name: entry for entry in catalog(with_promoted(settings))}
    if name not in entries:
        raise ModelNotFound(f'No model is named "{name}". Available models: {", ".join(entries)}.')
    fields = {**entries[name].to_json(), **_runtime(entries[name].path, settings)}
    if as_json:
        print_json(fields)
    else:
        print_fields(fields)


def _runtime(path: Path, settings: Settings) -> dict[str, object]:
    """Returns the runtime that was selected for the model in *path*, or None values before the selection."""
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.conversion import preparation
    from rerank.models.folder import ModelFolder

    selected = preparation(ModelFolder.read(path), ComputeOptions.of(settings))
    if selected is None:
        return {"runtime": None, "precision": None, "converted": None, "ready": False, "trials": []}
    return {key: value for key, value in selected.to_json().items() if key != "name"}
