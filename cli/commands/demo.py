"""`rerank-cli demo`."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import as_file, files
from pathlib import Path

import click
import cloup

from rerank.cli import logs
from rerank.cli.commands.serve import serving_options
from rerank.cli.composition import encoder, opened_store
from rerank.cli.options import epilog, with_settings
from rerank.cli.output import print_message
from rerank.core.settings import Settings

INDEX = "demo"


@cloup.command(name="demo", epilog=epilog("rerank-cli demo --port 8080"))
@serving_options()
@with_settings
@click.pass_context
def command(ctx: click.Context, *, settings: Settings) -> None:
    """Index a small bilingual corpus, serve it, and print the URL.

    The corpus holds help pages of command-line tools in English and Italian. The index is named demo.
    """
    from rerank.service.server import serve

    with as_file(files("rerank.cli") / "demo" / "corpus.jsonl.gz") as corpus:
        documents = ingest_in_subprocess(settings, corpus)
    print_message(f'Index "{INDEX}" holds {documents} documents.')
    logs.configure_service_logging()
    ctx.exit(serve(settings, on_ready=_announce))


def ingest_in_subprocess(settings: Settings, corpus: Path) -> int:
    """Ingests *corpus* in a separate process and returns the number of documents in the index.

    The server forks its workers, and threads of the models and of the store do not survive a fork.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        return executor.submit(ingest_corpus, settings, corpus).result()


def ingest_corpus(settings: Settings, corpus: Path) -> int:
    """Ingests *corpus*, skipping unchanged documents, and returns the number of documents in the index."""
    from rerank.ingest.progress import progress_on
    from rerank.ingest.run import ingest

    logs.configure_command_logging(debug=False)
    with opened_store(settings) as store:
        progress = progress_on(sys.stderr)
        ingest([str(corpus)], store=store, encoder=encoder(settings), name=INDEX, progress=progress)
        return store.open(INDEX).info().documents


def _announce(url: str) -> None:
    click.echo(url)
    print_message('Open this URL in a browser and search for "come estrarre un archivio" or "list open ports".')
    print_message("Press Ctrl-C to stop.")
