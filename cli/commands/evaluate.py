"""rerank-cli evaluate."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rerank.cli.composition import opened_pipeline
from rerank.cli.failures import Failed
from rerank.cli.flags import RANKING, json_flag, settings_flags
from rerank.cli.output import print_json, print_table, tell
from rerank.cli.steps import Steps
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.evaluation import Evaluation
    from rerank.core.intervals import Interval
    from rerank.core.judgments import Dataset

REPORT = "report.json"


@click.command(name="evaluate")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--index", required=True, help="The index that holds the data set's documents.")
@click.option("--split", help="The file in qrels/ to use.  [default: test where there is one, else the only one]")
@click.option(
    "--queries", type=click.IntRange(min=1), help="Use only so many queries, drawn at random with a fixed seed."
)
@click.option("--run-dir", type=click.Path(file_okay=False, path_type=Path), help="Where runs and report are written.")
@settings_flags(
    "k",
    *RANKING,
    "contenders",
    "passage_tokens",
)
@json_flag
def command(
    *,
    dataset: Path,
    index: str,
    split: str | None,
    queries: int | None,
    run_dir: Path | None,
    as_json: bool,
    settings: Settings,
) -> None:
    """Measure a search on judged queries.

    DATASET is a BEIR folder with queries.jsonl and qrels/. The first stage, the cross-encoder alone and the final
    order are compared on the same candidates, without a time budget.
    """
    from rerank.core.evaluation import EvaluationOptions, evaluate

    judged = _judged(dataset, split, queries)
    if run_dir is not None:
        _make(run_dir)
    options = EvaluationOptions(index=index, k=settings.k, depth=settings.depth, mode=settings.mode)
    with opened_pipeline(settings, index=index) as pipeline, Steps("queries") as steps:
        result = evaluate(pipeline, judged, options, on_query=steps.advance)
    _warn(result)
    if run_dir is not None:
        _write(run_dir, result)
    if as_json:
        print_json(result.to_json())
    else:
        _show(result)


def _judged(folder: Path, split: str | None, queries: int | None) -> Dataset:
    from rerank.core.judgments import load_dataset

    judged = load_dataset(folder, split)
    return judged if queries is None else judged.sampled(queries)


def _make(folder: Path) -> None:
    """Make the folder for the runs now: an evaluation may take hours, and it is written at the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Failed(f"{folder}: cannot be made: {exc.strerror}; choose another --run-dir") from exc
    if not os.access(folder, os.W_OK):
        raise Failed(f"{folder}: cannot be written to; choose another --run-dir")


def _write(folder: Path, result: Evaluation) -> None:
    from rerank.core.run_file import write_run

    for name, run in result.runs.items():
        write_run(folder / f"{name}.run", run, tag=name)
    report = folder / REPORT
    try:
        report.write_text(json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as exc:
        raise Failed(f"{report}: cannot be written: {exc.strerror}; choose another --run-dir") from exc
    tell(f"runs and report are in {folder}")


def _warn(result: Evaluation) -> None:
    """Say what the numbers alone would hide."""
    dataset = result.dataset
    if result.absent_documents:
        tell(
            f"{result.absent_documents} of {result.relevant_documents} relevant documents are not in the index; "
            "no order can find them"
        )
    if dataset.without_text:
        tell(f"{dataset.without_text} judged queries are not in queries.jsonl; they are left out")
    if result.truncated:
        tell(f"{result.truncated} of {result.scored} passages were cut to fit the cross-encoder")


def _show(result: Evaluation) -> None:
    click.echo(
        f"{len(result.dataset.queries)} queries of {result.dataset.path} ({result.dataset.split}), "
        f"{result.options.depth} candidates by {result.options.mode}, reranker {result.reranker}\n"
    )
    means = {order: result.means(order) for order in result.runs}
    measures = list(next(iter(means.values())))
    rows = [[order.replace("_", " "), *(f"{mean[name]:.4f}" for name in measures)] for order, mean in means.items()]
    print_table(["order", *measures], rows)
    click.echo()
    differences = [
        [f"{order} - {baseline}".replace("_", " "), *(_interval(intervals[name]) for name in measures)]
        for (order, baseline), intervals in result.differences().items()
    ]
    print_table(["difference [95% interval]", *measures], differences)
    click.echo()
    laps = [[stage, f"{one.p50:.1f}", f"{one.p95:.1f}", f"{one.p99:.1f}"] for stage, one in result.latencies.items()]
    print_table(["milliseconds", "p50", "p95", "p99"], laps)


def _interval(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
