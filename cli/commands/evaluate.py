"""`rerank-cli evaluate`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from rerank.cli.judgments import judged_queries, queries_option, split_option
from rerank.cli.options import RANKING, RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import absolute, print_json, print_message, print_table
from rerank.cli.progress import StepProgress
from rerank.cli.searched_index import SEARCH_OPTIONS, SearchedIndex, description, opened_searches
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.evaluation import Evaluation
    from rerank.core.intervals import Interval

REPORT = "report.json"


@cloup.command(name="evaluate", epilog=epilog("rerank-cli evaluate scifact --index scifact --run-dir runs"))
@cloup.argument("dataset", type=click.Path(path_type=Path))
@cloup.option_group(
    "Judgments",
    cloup.option("--index", required=True, help="Index that holds the documents of DATASET."),
    *SEARCH_OPTIONS,
    split_option,
    queries_option,
    cloup.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the runs in TREC format and the report.",
    ),
)
@cloup.option_group("Index", *setting_options("store"))
@cloup.option_group("Models", *setting_options("encoder", "reranker", *RUNTIME))
@cloup.option_group("Ranking", *setting_options("k", *RANKING))
@json_option
@with_settings
def command(
    *,
    dataset: Path,
    index: str,
    fields: str | None,
    query_template: Path | None,
    split: str | None,
    queries: int | None,
    run_dir: Path | None,
    as_json: bool,
    settings: Settings,
) -> None:
    """Measure search quality on judged queries.

    DATASET is a BEIR folder with queries.jsonl and qrels/. Compares the first stage, the cross-encoder alone and the
    final order on the same candidates, without a time budget. The index is one that rerank ingested, or any other index
    of an OpenSearch server, which is searched and reranked as the proxy does it.
    """
    from rerank.core.evaluation import EvaluationOptions, evaluate

    judged = judged_queries(dataset, split, queries)
    if run_dir is not None:
        _create_folder(run_dir)
    options = EvaluationOptions(index=index, k=settings.k, depth=settings.depth, mode=settings.mode)
    searched = SearchedIndex.of(index, fields, query_template)
    with opened_searches(settings, searched) as searches, StepProgress("queries") as progress:
        result = evaluate(searches, judged, options, on_query=progress.advance)
    _print_warnings(result)
    if run_dir is not None:
        _write(run_dir, result)
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)


def _create_folder(folder: Path) -> None:
    """Creates the folder of the runs before the evaluation, which may take hours."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise click.ClickException(
            f"Cannot create {absolute(folder)}: {exc.strerror}. Choose another --run-dir."
        ) from exc
    if not os.access(folder, os.W_OK):
        raise click.ClickException(f"Cannot write to {absolute(folder)}. Choose another --run-dir.")


def _write(folder: Path, result: Evaluation) -> None:
    from rerank.core.run_file import write_run

    for name, run in result.runs.items():
        write_run(folder / f"{name}.run", run, tag=name)
    report = folder / REPORT
    try:
        report.write_text(json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as exc:
        raise click.ClickException(
            f"Cannot write {absolute(report)}: {exc.strerror}. Choose another --run-dir."
        ) from exc
    print_message(f"Wrote the runs and the report to {absolute(folder)}.")


def _print_warnings(result: Evaluation) -> None:
    dataset = result.dataset
    if result.documents.warning is not None:
        print_message(result.documents.warning)
    if dataset.without_text:
        print_message(f"Skipped {dataset.without_text} judged queries that are not in queries.jsonl.")
    if result.truncated:
        print_message(f"{result.truncated} of {result.scored} passages were truncated to fit the cross-encoder.")


def _print(result: Evaluation) -> None:
    click.echo(
        f"{len(result.dataset.queries)} queries of {absolute(result.dataset.path)} ({result.dataset.split}), "
        f"depth {result.options.depth}, {description(result.first_stage)}, reranker {result.reranker}\n"
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
    latencies = [
        [stage, f"{latency.p50:.1f}", f"{latency.p95:.1f}", f"{latency.p99:.1f}"]
        for stage, latency in result.latencies.items()
    ]
    print_table(["milliseconds", "p50", "p95", "p99"], latencies)


def _interval(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
