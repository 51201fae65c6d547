"""`rerank-cli index`."""

from __future__ import annotations

import sys

import click
import cloup

from rerank.cli.composition import opened_store
from rerank.cli.options import epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_fields, print_json, print_message, print_table
from rerank.core.errors import IndexNotFound
from rerank.core.protocols import IndexInfo, Store
from rerank.core.settings import Settings

COMMANDS = cloup.Section("Commands")
store_option = cloup.option_group("Index", *setting_options("store"))


@cloup.group(name="index", sections=[COMMANDS])
def command() -> None:
    """List, show, delete and alias indexes."""


@command.command(name="list", section=COMMANDS, epilog=epilog("rerank-cli index list --json", settings=False))
@store_option
@json_option
@with_settings
def list_indexes(*, as_json: bool, settings: Settings) -> None:
    """List the indexes in the store."""
    with opened_store(settings) as store:
        indexes, aliases = store.indexes(), store.aliases()
    if as_json:
        print_json([_to_json(info, dict(aliases)) for info in indexes])
    elif not indexes:
        print_message("The store has no indexes. Create one: rerank-cli ingest CORPUS --index NAME")
    else:
        header = ["name", "documents", "passages", "encoder", "created"]
        print_table(header, [[i.name, i.documents, i.passages, i.encoder.name, i.created] for i in indexes])


@command.command(name="show", section=COMMANDS, epilog=epilog("rerank-cli index show docs", settings=False))
@cloup.argument("name")
@store_option
@json_option
@with_settings
def show(*, name: str, as_json: bool, settings: Settings) -> None:
    """Show the document counts, the encoder and the aliases of index NAME."""
    with opened_store(settings) as store:
        info, aliases = store.open(name).info(), dict(store.aliases())
    body = _to_json(info, aliases)
    if as_json:
        print_json(body)
        return
    encoder = info.encoder
    print_fields({**body, "encoder": f"{encoder.name} ({encoder.fingerprint[:12]}, {encoder.dim} dimensions)"})


@command.command(name="delete", section=COMMANDS, epilog=epilog("rerank-cli index delete docs --yes", settings=False))
@cloup.argument("name")
@cloup.option("--yes", is_flag=True, help="Delete without a confirmation prompt.")
@store_option
@with_settings
def delete(*, name: str, yes: bool, settings: Settings) -> None:
    """Delete index NAME with its documents and aliases. If NAME is an alias, delete only the alias."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Cannot prompt: standard input is not a terminal. Pass --yes.")
    with opened_store(settings) as store:
        target = _description(store, name)
        if not yes and not click.confirm(f"Delete {target}?", err=True):
            raise click.ClickException(f"Did not delete {target}.")
        store.delete(name)
    print_message(f"Deleted {target}.")


@command.command(name="alias", section=COMMANDS, epilog=epilog("rerank-cli index alias current docs", settings=False))
@cloup.argument("name")
@cloup.argument("target")
@store_option
@with_settings
def alias(*, name: str, target: str, settings: Settings) -> None:
    """Make NAME an alias of index TARGET. The alias follows the index through rebuilds."""
    with opened_store(settings) as store:
        store.alias(name, target)
    print_message(f"{name} is now an alias of {target}.")


def _description(store: Store, name: str) -> str:
    """Describes what deleting *name* removes. Raises IndexNotFound."""
    target = store.aliases().get(name)
    if target is not None:
        return f"alias {name} of index {target}"
    try:
        return f"index {name} with {store.open(name).info().documents} documents"
    except IndexNotFound:
        if store.unfinished(name) is None:
            raise
        return f"index {name}, which is incomplete"


def _to_json(info: IndexInfo, aliases: dict[str, str]) -> dict[str, object]:
    encoder = info.encoder
    return {
        "name": info.name,
        "documents": info.documents,
        "passages": info.passages,
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint, "dim": encoder.dim},
        "created": info.created,
        "analyzer": info.analyzer,
        "fields": dict(sorted(info.fields.items())),
        "aliases": [alias for alias, target in aliases.items() if target == info.name],
    }
