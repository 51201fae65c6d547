"""rerank-cli demo."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import as_file, files
from pathlib import Path

import click

from rerank.cli import logs
from rerank.cli.commands.serve import SERVING
from rerank.cli.composition import encoder, opened_store
from rerank.cli.flags import settings_flags
from rerank.cli.output import tell
from rerank.core.settings import Settings

INDEX = "demo"


@click.command(name="demo")
@settings_flags(*SERVING)
@click.pass_context
def command(ctx: click.Context, *, settings: Settings) -> None:
    """Index a small bilingual corpus, serve it, and print the address.

    The corpus is help pages of command-line tools, in English and Italian; the index is called demo.
    """
    from rerank.service.server import serve

    with as_file(files("rerank.cli") / "demo" / "corpus.jsonl.gz") as corpus:
        documents = indexed_apart(settings, corpus)
    tell(f'index "{INDEX}" holds {documents} documents')
    logs.for_a_service()
    ctx.exit(serve(settings, on_ready=_announce))


def indexed_apart(settings: Settings, corpus: Path) -> int:
    """Bring *corpus* into the index in a process of its own; returns how many documents the index holds.

    Apart, because a server's workers are forked, and neither the models' threads nor the store's survive a fork.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        return apart.submit(index, settings, corpus).result()


def index(settings: Settings, corpus: Path) -> int:
    """Bring *corpus* into the index; what is there already is not encoded again."""
    from rerank.ingest.progress import progress_on
    from rerank.ingest.run import ingest

    logs.for_a_command(debug=False)
    with opened_store(settings) as store:
        progress = progress_on(sys.stderr)
        ingest([str(corpus)], store=store, encoder=encoder(settings), name=INDEX, progress=progress)
        return store.open(INDEX).info().documents


def _announce(url: str) -> None:
    click.echo(url)
    tell('open it in a browser and ask "come estrarre un archivio" or "list open ports"; Ctrl-C stops it')
