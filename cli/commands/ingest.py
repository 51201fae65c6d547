"""`rerank-cli ingest`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from rerank.cli.composition import encoder, opened_store
from rerank.cli.failures import FAILED
from rerank.cli.options import RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_fields, print_json, print_message
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.ingest.report import IngestReport


@cloup.command(name="ingest", epilog=epilog("rerank-cli ingest corpus.jsonl --index docs"))
@cloup.argument("corpora", metavar="CORPUS...", nargs=-1, required=True)
@cloup.option_group(
    "Corpus",
    cloup.option("--id-field", default="_id", show_default=True, help="Field that holds the document id."),
    cloup.option("--text-field", default="text", show_default=True, help="Field that holds the text."),
    cloup.option("--title-field", default="title", show_default=True, help="Optional field that holds the title."),
    cloup.option("--drop-field", "drop_fields", multiple=True, help="Field to leave out. Repeatable."),
    cloup.option(
        "--rejects",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File that lists the rejected records. With it, rejected records do not fail the command.",
    ),
)
@cloup.option_group(
    "Index",
    cloup.option("--index", "name", required=True, help="Index to create or update."),
    cloup.option("--restart", is_flag=True, help="Build a new index and replace the old one when it is complete."),
    cloup.option("--dry-run", is_flag=True, help="Read and check all records, but write nothing."),
    *setting_options("store", "analyzer"),
)
@cloup.option_group("Models", *setting_options("encoder", *RUNTIME))
@json_option
@with_settings
@click.pass_context
def command(
    ctx: click.Context,
    *,
    corpora: tuple[str, ...],
    id_field: str,
    text_field: str,
    title_field: str,
    drop_fields: tuple[str, ...],
    rejects: Path | None,
    name: str,
    restart: bool,
    dry_run: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Index documents, or update an index.

    CORPUS is a .jsonl, .csv or .tsv file, a BEIR folder (with corpus.jsonl), or - for JSON lines on stdin; plain or
    gzip. All fields except id, text and title are metadata.

    Run the same command again to update the index; unchanged documents are skipped. If interrupted, run the same
    command again to resume.
    """
    from rerank.ingest.progress import progress_on
    from rerank.ingest.record import RecordFields
    from rerank.ingest.run import IngestOptions, ingest

    options = IngestOptions(
        fields=RecordFields(id_field, text_field, title_field, frozenset(drop_fields)),
        analyzer=settings.analyzer,
        engine=settings.engine,
        vector_index=settings.vector_index,
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
        print_fields(report.to_json())
    if report.rejected and rejects is None:
        _print_rejected(report)
        ctx.exit(FAILED)


def _print_rejected(report: IngestReport) -> None:
    for example in report.examples:
        print_message(f"Rejected {example.file}:{example.line}: {example.reason}")
    print_message(
        f"Error: Number of rejected records: {report.rejected}. Pass --rejects FILE to list them and exit with 0."
    )
