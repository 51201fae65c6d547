"""rerank-cli demo."""

from __future__ import annotations

import sys
from importlib.resources import as_file, files

import click

from cli.commands.serve import SERVING
from cli.composition import encoder, opened_store
from cli.flags import settings_flags
from cli.output import tell
from core.settings import Settings

INDEX = "demo"


@click.command(name="demo")
@settings_flags(*SERVING)
@click.pass_context
def command(ctx: click.Context, *, settings: Settings) -> None:
    """Index a small bilingual corpus (help pages of command-line tools), serve it, and print the address."""
    from ingest.progress import progress_on
    from ingest.run import ingest
    from service.server import serve

    with as_file(files("cli") / "demo" / "corpus.jsonl.gz") as corpus, opened_store(settings) as store:
        report = ingest(
            [str(corpus)], store=store, encoder=encoder(settings), name=INDEX, progress=progress_on(sys.stderr)
        )
    tell(f'index "{INDEX}": {report.indexed + report.skipped} documents')
    tell('try: "come estrarre un archivio", "list open ports"; Ctrl-C stops it')
    ctx.exit(serve(settings))
