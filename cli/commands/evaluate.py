"""rerank-cli evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.composition import opened_pipeline
from cli.flags import json_flag, settings_flags
from cli.output import print_json, print_table, tell
from cli.steps import Steps
from core.errors import InvalidInput
from core.settings import Settings

if TYPE_CHECKING:
    from core.evaluation import Evaluation


@click.command(name="evaluate")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--index", required=True, help="The index that holds the data set's documents.")
@click.option("--split", help="The file in qrels/ to use.  [default: test where there is one, else the only one]")
@click.option(
    "--queries", type=click.IntRange(min=1), help="Use only so many queries, drawn at random with a fixed seed."
)
@click.option("--run-dir", type=click.Path(file_okay=False, path_type=Path), help="Where runs and report are written.")
@settings_flags("k", "depth", "mode", "store", "encoder", "reranker", "runtime", "fusion")
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
    from core.evaluation import EvaluationOptions, evaluate
    from core.judgments import load_dataset

    judged = load_dataset(dataset, split)
    if queries is not None:
        judged = judged.sampled(queries)
    options = EvaluationOptions(index=index, k=settings.k, depth=settings.depth, mode=settings.mode)
    with opened_pipeline(settings) as pipeline, Steps("queries") as steps:
        result = evaluate(pipeline, judged, options, on_query=lambda done: steps.advance(done, len(judged.queries)))
    if run_dir is not None:
        _write(run_dir, result)
        tell(f"runs and report are in {run_dir}")
    if as_json:
        print_json(result.to_json())
    else:
        _show(result)


def _write(folder: Path, result: Evaluation) -> None:
    from core.run_file import write_run

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, run in result.runs.items():
            write_run(folder / f"{name}.run", run, tag=name)
        (folder / "report.json").write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as exc:
        raise InvalidInput(f"{folder}: cannot be written: {exc.strerror}; choose another --run-dir") from exc


def _show(result: Evaluation) -> None:
    options = result.options
    measures = list(result.means("first_stage"))
    header = ["order"]
    for measure in measures:
        header += [measure, "against first stage [95%]"]
    rows: list[list[object]] = []
    for order in result.runs:
        row: list[object] = [order.replace("_", " ")]
        differences = {} if order == "first_stage" else result.difference(order, "first_stage")
        for measure, mean in result.means(order).items():
            row.append(f"{mean:.4f}")
            found = differences.get(measure)
            row.append("" if found is None else f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]")
        rows.append(row)
    click.echo(
        f"{len(result.dataset.queries)} queries of {result.dataset.path} ({result.dataset.split}), "
        f"{options.depth} candidates by {options.mode}, reranker {result.reranker}"
    )
    print_table(header, rows)
    print_table(
        ["milliseconds", "p50", "p95", "p99"],
        [[stage, f"{one.p50:.1f}", f"{one.p95:.1f}", f"{one.p99:.1f}"] for stage, one in result.latencies.items()],
    )
    if result.absent_documents:
        tell(
            f"{result.absent_documents} of {result.relevant_documents} relevant documents are not in the index: "
            "what is missing cannot be found"
        )
