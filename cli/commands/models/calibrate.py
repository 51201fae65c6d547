"""`rerank-cli models calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from rerank.cli.judgments import judged_queries, judgment_options
from rerank.cli.options import RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import absolute, print_json, print_message, print_table
from rerank.cli.progress import StepProgress
from rerank.cli.searched_index import SearchedIndex, opened_searches, print_absent
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.judgments import Dataset
    from rerank.models.fitting.model_fit import Fitted


@cloup.command(
    name="calibrate",
    short_help="Fit a model's fusion and calibration to judged queries.",
    epilog=epilog("rerank-cli models calibrate my-reranker --data judgments --index docs"),
)
@cloup.argument("model")
@judgment_options(required=True)
@cloup.option_group(
    "Calibration",
    cloup.option(
        "--min-precision",
        type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
        default=0.5,
        show_default=True,
        help="Lowest fraction of relevant hits among those above min_score.",
    ),
    cloup.option(
        "--output",
        type=click.Path(path_type=Path),
        help="Folder for a calibrated copy.",
        show_default="MODEL itself",
    ),
)
@cloup.option_group("Index", *setting_options("store"))
@cloup.option_group("Models", *setting_options("encoder", *RUNTIME))
@cloup.option_group("Ranking", *setting_options("depth", "mode"))
@json_option
@with_settings
def calibrate(
    *,
    model: str,
    data: Path,
    index: str,
    fields: str | None,
    query_template: Path | None,
    split: str | None,
    queries: int | None,
    min_precision: float,
    output: Path | None,
    as_json: bool,
    settings: Settings,
) -> None:
    """Fit the fusion weights, the calibration and min_score of MODEL to judged queries.

    MODEL is a built-in name, a model folder or a hub id. It must not have been trained on these judgments. The result
    is written to the model's rerank.json.
    """
    from rerank.core.judging import JudgingOptions, judged_candidates
    from rerank.core.retrieval import RetrievalOptions
    from rerank.models.catalog import resolve
    from rerank.models.fitting.model_fit import fit
    from rerank.models.fitting.saving import save_fit, target_folder

    folder = resolve(model, role="reranker")
    target = target_folder(folder, output)
    judged = judged_queries(data, split, queries)
    with_model = settings.model_copy(update={"reranker": model})
    options = JudgingOptions(index=index, depth=settings.depth, mode=settings.mode)
    searched = SearchedIndex.of(index, fields, query_template)
    with opened_searches(with_model, searched) as searches, StepProgress("queries") as progress:
        first_stage = searches.first_stage(index, RetrievalOptions(settings.mode, settings.depth))
        print_absent(first_stage, judged)
        candidates = judged_candidates(searches, judged, options, on_query=progress.advance)
        source = {**_source(judged, settings.depth), **first_stage.parameters(), "encoder": searches.encoder.name}
    fitted = fit(candidates, precision=min_precision)
    save_fit(fitted, folder, target, fitted_on={**source, "index": index})
    if as_json:
        weights = {"logit": 1.0, **fitted.fusion.weights}
        print_json({"model": str(target), "weights": weights, "min_score": fitted.min_score, **fitted.report.to_json()})
    else:
        _print(fitted, target)


def _source(judged: Dataset, depth: int) -> dict[str, object]:
    return {
        "data": Path(judged.path).name,
        "split": judged.split,
        "queries": len(judged.queries),
        "depth": depth,
    }


def _print(fitted: Fitted, target: Path) -> None:
    report = fitted.report
    print_table(["order", "nDCG@10"], [[name.replace("_", " "), f"{value:.4f}"] for name, value in report.ndcg.items()])
    click.echo()
    weights = {"logit": 1.0, **fitted.fusion.weights}
    print_table(["feature", "weight"], [[name, f"{weight:.3f}"] for name, weight in weights.items()])
    click.echo()
    print_table(
        ["", "calibration error"],
        [
            ["before", f"{report.error_before:.4f}"],
            ["after", f"{report.error_after:.4f}"],
            ["after, first ten hits", f"{report.top_error:.4f}"],
        ],
    )
    click.echo()
    if fitted.min_score is None:
        print_message(f"No min_score reaches a precision of {report.precision:g}. Lower --min-precision.")
    else:
        click.echo(
            f"min_score {fitted.min_score:.4f} reaches a precision of {report.precision:g}. On average, a query keeps"
            f" {report.hits:.1f} of its first ten hits. Without relevant documents in the index, {report.empty:.0%} of"
            " the queries keep no hit."
        )
    if report.fused_by == "default":
        print_message("Kept the default fusion weights: the fitted weights did not improve the order.")
    print_message(
        f"Wrote {absolute(target)}. The figures are cross-validated: no query was used to fit its own result."
    )
