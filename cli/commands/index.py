"""rerank-cli index."""

from __future__ import annotations

import sys

import click

from rerank.cli.composition import opened_store
from rerank.cli.failures import Failed, Misused
from rerank.cli.flags import json_flag, settings_flags
from rerank.cli.output import print_json, print_table, tell
from rerank.core.errors import IndexNotFound
from rerank.core.protocols import IndexInfo, Store
from rerank.core.settings import Settings


@click.group(name="index")
def command() -> None:
    """List, show, delete and alias indexes."""


@command.command(name="list")
@settings_flags("store")
@json_flag
def list_indexes(*, as_json: bool, settings: Settings) -> None:
    """The indexes in the store."""
    with opened_store(settings) as store:
        found, aliases = store.indexes(), store.aliases()
    if as_json:
        print_json([_body(info, dict(aliases)) for info in found])
    elif not found:
        tell("no index yet; make one with rerank-cli ingest CORPUS --index NAME")
    else:
        header = ["name", "documents", "passages", "encoder", "created"]
        print_table(header, [[i.name, i.documents, i.passages, i.encoder.name, i.created] for i in found])


@command.command(name="show")
@click.argument("name")
@settings_flags("store")
@json_flag
def show(*, name: str, as_json: bool, settings: Settings) -> None:
    """One index: its counts, its encoder, when it was made."""
    with opened_store(settings) as store:
        info, aliases = store.open(name).info(), dict(store.aliases())
    body = _body(info, aliases)
    if as_json:
        print_json(body)
        return
    encoder = info.encoder
    shown = {**body, "encoder": f"{encoder.name} ({encoder.fingerprint[:12]}, {encoder.dim} dimensions)"}
    print_table(
        ["", ""], [[key, ", ".join(value) if isinstance(value, list) else value] for key, value in shown.items()]
    )


@command.command(name="delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_flags("store")
def delete(*, name: str, yes: bool, settings: Settings) -> None:
    """Remove an index, with all that is in it and its aliases; of an alias, only the alias."""
    if not yes and not sys.stdin.isatty():
        raise Misused("nobody is there to be asked; say --yes to delete the index")
    with opened_store(settings) as store:
        what = _described(store, name)
        if not yes and not click.confirm(f"delete {what}?", err=True):
            raise Failed(f"{what} was not deleted")
        store.delete(name)
    tell(f"deleted {what}")


@command.command(name="alias")
@click.argument("name")
@click.argument("target")
@settings_flags("store")
def alias(*, name: str, target: str, settings: Settings) -> None:
    """Let NAME lead to the index TARGET as well, now and after each rebuild."""
    with opened_store(settings) as store:
        store.alias(name, target)
    tell(f"{name} leads to {target}")


def _described(store: Store, name: str) -> str:
    """What goes with *name*. Raises IndexNotFound."""
    target = store.aliases().get(name)
    if target is not None:
        return f"the alias {name} (index {target} stays)"
    try:
        return f"index {name} with {store.open(name).info().documents} documents"
    except IndexNotFound:
        if store.unfinished(name) is None:
            raise
        return f"index {name}, which was never completed"


def _body(info: IndexInfo, aliases: dict[str, str]) -> dict[str, object]:
    encoder = info.encoder
    return {
        "name": info.name,
        "documents": info.documents,
        "passages": info.passages,
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint, "dim": encoder.dim},
        "created": info.created,
        "analyzer": info.analyzer,
        "aliases": [alias for alias, target in aliases.items() if target == info.name],
    }
