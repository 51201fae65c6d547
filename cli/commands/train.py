"""`rerank-cli train`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import Any

import click
import cloup

from rerank.cli.options import epilog, setting_options, with_settings
from rerank.cli.output import absolute, print_json, print_message, print_table
from rerank.cli.progress import StepProgress
from rerank.cli.train_options import recipe_options
from rerank.cli.training_data import NEGATIVES_OPTIONS, NegativesSource, search_scores
from rerank.core.settings import Settings
from rerank.models.training.options import DistillOptions, EncoderOptions, NliOptions, PairsOptions, StsOptions

COMMANDS = cloup.Section("Commands")
MIN_MINED_NEGATIVES = 9
"""Lowest number of negatives to mine per query, because evaluation lists need more of them than training lists."""

Reports = dict[str, Any]
_negatives_options = cloup.option_group(
    "Hard negatives", *NEGATIVES_OPTIONS, *setting_options("store", "encoder", "mode")
)


@cloup.group(name="train", sections=[COMMANDS])
def command() -> None:
    """Train a model on your own data. If interrupted, run the same command again to resume."""


@command.command(
    name="pairs",
    section=COMMANDS,
    epilog=epilog("rerank-cli train pairs --data judgments.jsonl --output my-reranker"),
)
@recipe_options(PairsOptions)
@_negatives_options
@with_settings
def pairs(*, as_json: bool, settings: Settings, **options: Any) -> None:
    """Train a reranker on judged pairs of query and passage.

    DATA is JSON lines of {"query", "passage", "label"} with labels from 0 to 1, a file in the format of FlagEmbedding,
    sentence-transformers (anchor, positive, negative) or Tevatron, or a BEIR folder with qrels.
    """
    source = NegativesSource.taken_from(options)

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.pairs import train_pairs

        return train_pairs(PairsOptions(**_with_mined_negatives(options, source, settings, reports), **reports))

    _train(run, as_json)


@command.command(
    name="sts",
    section=COMMANDS,
    epilog=epilog("rerank-cli train sts --data stsb --language en --output my-similarity", settings=False),
)
@recipe_options(StsOptions)
def sts(*, as_json: bool, **options: Any) -> None:
    """Train a similarity model on scored sentence pairs.

    DATA is a folder with train.jsonl, dev.jsonl and test.jsonl. Each line is {"it": [text, text], "en": [text, text],
    "score": 0 to 5}. The model learns each pair in both orders, with the label score / 5.
    """

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.sts import train_sts

        return train_sts(StsOptions(**_given(options), **reports))

    _train(run, as_json)


@command.command(
    name="encoder",
    section=COMMANDS,
    short_help="Train a bi-encoder on queries or translations.",
    epilog=epilog("rerank-cli train encoder --data questions.jsonl --output my-encoder"),
)
@recipe_options(EncoderOptions)
@_negatives_options
@with_settings
def encoder(*, as_json: bool, settings: Settings, **options: Any) -> None:
    """Train a bi-encoder on queries with their passages, or on texts with their translations.

    DATA is a file that `train pairs` accepts, or JSON lines of {"query", "positive"} or {"en": text, "it": text}.
    """
    source = NegativesSource.taken_from(options)

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.encoder import train_encoder

        return train_encoder(EncoderOptions(**_with_mined_negatives(options, source, settings, reports), **reports))

    _train(run, as_json)


@command.command(
    name="nli",
    section=COMMANDS,
    epilog=epilog("rerank-cli train nli --data nli --language en --output my-nli", settings=False),
)
@recipe_options(NliOptions)
def nli(*, as_json: bool, **options: Any) -> None:
    """Train an entailment classifier on premises and hypotheses.

    DATA is JSON lines of {"premise", "hypothesis", "label"}, or folders whose files are named train, dev and test. The
    labels are entailment, neutral and contradiction, or entailment and not_entailment.
    """

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.nli import train_nli

        return train_nli(NliOptions(**_given(options), **reports))

    _train(run, as_json)


@command.command(
    name="distill",
    section=COMMANDS,
    short_help="Train a reranker on another model's scores.",
    epilog=epilog("rerank-cli train distill --data judgments.jsonl --teacher my-reranker --layers 2 --output small"),
)
@recipe_options(DistillOptions)
@cloup.option_group(
    "Teacher",
    cloup.option(
        "--teacher-index", help="Index to search with the queries of --data. The model learns the fused scores."
    ),
    *setting_options("store", "encoder", "reranker", "mode", "depth"),
)
@with_settings
def distill(*, as_json: bool, teacher_index: str | None, settings: Settings, **options: Any) -> None:
    """Train a reranker, possibly with fewer layers, on another model's scores.

    DATA is a file that `train pairs` accepts, or JSON lines of {"query", "passages", "scores"}.
    """
    if teacher_index is not None and options["teacher"] is not None:
        raise click.UsageError("--teacher and --teacher-index cannot be used together. Choose one teacher.")

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.distill import train_distill

        given = _given(options)
        if teacher_index is not None:
            report = reports["on_preparation"]
            given["data"] = search_scores(
                given["data"], settings, index=teacher_index, output=given["output"], report=report
            )
        return train_distill(DistillOptions(**given, **reports))

    _train(run, as_json)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Returns *options* without None values, so that the defaults of the options class apply."""
    return {name: value for name, value in options.items() if value is not None}


def _with_mined_negatives(
    options: dict[str, Any], source: NegativesSource, settings: Settings, reports: Reports
) -> dict[str, Any]:
    """Returns *options* with the data replaced by the file of mined negatives, if there is an index to mine."""
    given = _given(options)
    data = source.mined(
        given["data"],
        settings,
        output=given["output"],
        count=max(given.get("negatives", 0), MIN_MINED_NEGATIVES),
        seed=given["seed"],
        report=reports["on_preparation"],
    )
    return {**given, "data": data}


def _train(run: Callable[[Reports], Any], as_json: bool) -> None:
    with StepProgress("steps") as steps, StepProgress("prepared") as prepared:
        reports = {
            "on_progress": lambda done, total, loss: steps.advance(done, total, f"loss {loss:.4f}"),
            "on_preparation": lambda stage, done, total: prepared.advance(done, total, stage),
        }
        try:
            report = run(reports).to_json()
        except KeyboardInterrupt:
            resume_command = shlex.join(["rerank-cli", *sys.argv[1:]])
            raise KeyboardInterrupt(f"The checkpoint is saved. To resume, run: {resume_command}") from None
    from rerank.models.training.distributed import is_main_process

    if not is_main_process():
        return
    if as_json:
        print_json(report)
        return
    before = report.get("before", {})
    rows = [
        [name, f"{before[name]:.4f}" if name in before else "-", f"{value:.4f}"]
        for name, value in report["metrics"].items()
    ]
    print_table(["metric", "before", "after"], rows)
    print_message(f"Wrote the model to {absolute(report['model'])}.")
