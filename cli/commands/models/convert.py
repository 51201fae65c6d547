"""`rerank-cli models convert`."""

from __future__ import annotations

import cloup

from rerank.cli.options import RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_json, print_table
from rerank.core.settings import Settings


@cloup.command(
    name="convert",
    short_help="Convert models in advance for the fastest runtime.",
    epilog=epilog("rerank-cli models convert --reranker my-reranker"),
)
@cloup.option_group("Models", *setting_options("encoder", "reranker", "rerankers", *RUNTIME))
@json_option
@with_settings
def convert(*, as_json: bool, settings: Settings) -> None:
    """Select the fastest runtime for each configured model and convert the models for it.

    The service then starts faster. Models that are already converted are skipped.
    """
    from rerank.models.catalog import resolve
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.conversion import prepare
    from rerank.models.promotion import with_promoted

    configured = with_promoted(settings)
    names = dict.fromkeys([configured.reranker, *configured.rerankers])
    folders = [resolve(configured.encoder, role="encoder"), *(resolve(name, role="reranker") for name in names)]
    conversions = [prepare(folder, ComputeOptions.of(settings)) for folder in folders]
    if as_json:
        print_json([conversion.to_json() for conversion in conversions])
        return
    rows = [
        [model.name, model.runtime, model.precision, str(model.converted or "at each start")] for model in conversions
    ]
    print_table(["model", "runtime", "precision", "converted"], rows)
