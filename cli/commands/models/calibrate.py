"""rerank-cli models calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rerank.cli.composition import opened_pipeline
from rerank.cli.flags import COMPUTING, json_flag, settings_flags
from rerank.cli.judged import judged_flags, judged_queries
from rerank.cli.output import print_json, print_table, tell
from rerank.cli.steps import Steps
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.judgments import Dataset
    from rerank.models.calibration.fitting import Fitted


@click.command(name="calibrate")
@click.argument("model")
@judged_flags
@click.option(
    "--min-precision",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="The share of relevant ones among the hits that min_score lets through.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write a copy with the fit, and leave MODEL as it is.")
@settings_flags("depth", "mode", "store", "encoder", *COMPUTING)
@json_flag
def calibrate(
    *,
    model: str,
    data: Path,
    index: str,
    split: str | None,
    queries: int | None,
    min_precision: float,
    output: Path | None,
    as_json: bool,
    settings: Settings,
) -> None:
    """Fit how MODEL's scores combine with the first stage, and what they mean, to judged queries.

    MODEL is a built-in name, a model folder or a hub id. It must not have been trained on these judgments. What is
    found is written to its rerank.json: the weights, the calibration, and the cut-off that reaches --min-precision.
    """
    from rerank.core.judging import JudgingOptions, judged_candidates
    from rerank.models.calibration.fitting import fit
    from rerank.models.calibration.storing import store, target_folder
    from rerank.models.catalog import resolve

    folder = resolve(model, role="reranker")
    target = target_folder(folder, output)
    judged = judged_queries(data, split, queries)
    named = settings.model_copy(update={"reranker": model})
    options = JudgingOptions(index=index, depth=settings.depth, mode=settings.mode)
    with opened_pipeline(named, index=index) as pipeline, Steps("queries") as steps:
        candidates = judged_candidates(pipeline, judged, options, on_query=steps.advance)
        encoder = pipeline.encoder.name
    fitted = fit(candidates, precision=min_precision)
    store(fitted, folder, target, fitted_on={**_source(judged, settings), "index": index, "encoder": encoder})
    _report(fitted, target, as_json=as_json)


def _source(judged: Dataset, settings: Settings) -> dict[str, object]:
    return {
        "data": Path(judged.path).name,
        "split": judged.split,
        "queries": len(judged.queries),
        "mode": settings.mode,
        "depth": settings.depth,
    }


def _report(fitted: Fitted, target: Path, *, as_json: bool) -> None:
    report = fitted.report
    weights = {"logit": 1.0, **fitted.fusion.weights}
    if as_json:
        said = {"model": str(target), "weights": weights, "min_score": fitted.min_score, **report.to_json()}
        print_json(said)
        return
    print_table(["order", "nDCG@10"], [[name.replace("_", " "), f"{value:.4f}"] for name, value in report.ndcg.items()])
    click.echo()
    print_table(["feature", "weight"], [[name, f"{weight:.3f}"] for name, weight in weights.items()])
    click.echo()
    print_table(
        ["calibration error", ""],
        [
            ["before", f"{report.error_before:.4f}"],
            ["after", f"{report.error_after:.4f}"],
            ["first ten alone", f"{report.top_error:.4f}"],
        ],
    )
    click.echo()
    if fitted.min_score is None:
        tell(f"no cut-off reaches a precision of {report.precision:g}; no min_score; --min-precision asks for less")
    else:
        click.echo(
            f"min_score {fitted.min_score:.4f} reaches a precision of {report.precision:g}: a query keeps"
            f" {report.hits:.1f} of its first ten hits; asked without its answers, {report.empty:.0%} keep none"
        )
    if report.fused_by == "default":
        tell("the fitted weights ordered no better than the default ones, which stay")
    tell(f"written to {target}; figures are of queries that the fit behind them has not seen")
