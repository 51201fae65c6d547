"""rerank-cli ingest."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from rerank.cli.composition import encoder, opened_store
from rerank.cli.flags import COMPUTING, json_flag, settings_flags
from rerank.cli.output import print_json, print_table, tell
from rerank.core.settings import Settings


@dataclass(frozen=True)
class _Fields:
    id_field: str
    text_field: str
    title_field: str
    drop_field: tuple[str, ...]


@click.command(name="ingest")
@click.argument("corpora", metavar="CORPUS...", nargs=-1, required=True)
@click.option("--index", "name", required=True, help="The index to make or to bring up to date.")
@click.option("--id-field", default="_id", show_default=True, help="The field with a document's id.")
@click.option("--text-field", default="text", show_default=True, help="The field with its text.")
@click.option("--title-field", default="title", show_default=True, help="The field with its title; may be missing.")
@click.option("--drop-field", multiple=True, help="A field to leave out; may be given several times.")
@click.option("--restart", is_flag=True, help="Build a new index, and swap it in when it is complete.")
@click.option("--dry-run", is_flag=True, help="Read and check everything, write nothing.")
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), help="Where left-out records are listed.")
@settings_flags("store", "encoder", *COMPUTING, "analyzer", "engine")
@json_flag
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    corpora: tuple[str, ...],
    name: str,
    restart: bool,
    dry_run: bool,
    rejects: Path | None,
    as_json: bool,
    settings: Settings,
    **fields: object,
) -> None:
    """Bring documents into an index.

    CORPUS is a .jsonl, .csv or .tsv file, a BEIR folder (with corpus.jsonl), or - for JSON lines on stdin; plain or
    gzip. All fields but id, text and title are metadata. Run it again to bring the index up to date: unchanged
    documents are skipped. Killed and run again, it goes on.
    """
    from rerank.ingest.progress import progress_on
    from rerank.ingest.record import RecordFields
    from rerank.ingest.run import IngestOptions, ingest

    given = _Fields(**fields)  # type: ignore[arg-type]  # click gives each flag its type
    options = IngestOptions(
        fields=RecordFields(given.id_field, given.text_field, given.title_field, frozenset(given.drop_field)),
        analyzer=settings.analyzer,
        engine=settings.engine,
        restart=restart,
        dry_run=dry_run,
        rejects=rejects,
    )
    with opened_store(settings) as store:
        report = ingest(
            corpora,
            store=store,
            encoder=encoder(settings),
            name=name,
            options=options,
            progress=progress_on(sys.stderr),
        )
    if as_json:
        print_json(report.to_json())
    else:
        print_table(["", name], [[key, value] for key, value in report.to_json().items() if key != "index"])
    if report.rejected and rejects is None:
        for example in report.examples:
            tell(f"rejected: {example.file}:{example.line}: {example.reason}")
        tell(f"Error: {report.rejected} records were left out; --rejects FILE lists them all and accepts it")
        ctx.exit(1)
