"""rerank-cli models convert."""

from __future__ import annotations

import click

from rerank.cli.flags import COMPUTING, json_flag, settings_flags
from rerank.cli.output import print_json, print_table
from rerank.core.settings import Settings


@click.command(name="convert")
@settings_flags("encoder", "reranker", "rerankers", "models_home", *COMPUTING)
@json_flag
def convert(*, as_json: bool, settings: Settings) -> None:
    """Find out what computes each model fastest here, and convert it, so that no start has to.

    The models are those that the settings name. What is there already is left as it is.
    """
    from rerank.models.catalog import resolve
    from rerank.models.computing import Computing
    from rerank.models.conversion import prepare
    from rerank.models.promotion import with_promoted

    named = with_promoted(settings)
    names = [named.reranker, *named.rerankers]
    folders = [resolve(named.encoder, role="encoder")]
    folders += [resolve(name, role="reranker") for name in dict.fromkeys(names)]
    found = [prepare(folder, Computing.of(settings)) for folder in folders]
    if as_json:
        print_json([preparation.to_json() for preparation in found])
        return
    rows = [[one.name, one.runtime, one.precision, str(one.converted or "made at each start")] for one in found]
    print_table(["model", "runtime", "precision", "converted"], rows)
