"""`rerank-cli train`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import cloup

from rerank.cli.options import epilog, json_option, setting_options, with_settings
from rerank.cli.output import absolute, print_json, print_message, print_table
from rerank.cli.progress import StepProgress
from rerank.cli.training_data import NEGATIVES_OPTIONS, NegativesSource, search_scores
from rerank.core.settings import Settings
from rerank.models.training.options import (
    DistillOptions,
    EncoderOptions,
    NliOptions,
    PairsOptions,
    RunOptions,
    StsOptions,
)

COMMANDS = cloup.Section("Commands")
Decorator = Callable[[Any], Any]
Reports = dict[str, Any]

_POSITIVE = click.FloatRange(min=0, min_open=True)
_FRACTION = click.FloatRange(min=0, max=1)
_COUNT = click.IntRange(min=1)
_LANGUAGE = click.Choice(["it", "en", "both"])
_STUDENT = click.Choice(["joint", "cross-encoder"])
_FEWEST_MINED = 9
"""Lists for the evaluation hold more negatives than lists for training."""


@cloup.group(name="train", sections=[COMMANDS])
def command() -> None:
    """Train a model on your own data. If interrupted, run the same command again to resume."""


class _Recipe:
    """Options of one recipe, whose defaults are those of its options class."""

    def __init__(self, options: type[RunOptions]) -> None:
        self._defaults = {field.name: field.default for field in fields(options)}

    def option(self, flag: str, type: Any, help: str, *, name: str = "", if_none: str = "") -> Decorator:
        """Returns the option *flag* of the field *name*. *if_none* describes a default of None or 0."""
        name = name or flag.removeprefix("--").replace("-", "_")
        default = self._defaults[name]
        if if_none or default is None or default is MISSING:
            return cloup.option(flag, name, type=type, help=help, show_default=if_none or False)
        return cloup.option(flag, name, type=type, help=help, default=default, show_default=True)

    def options(self, *recipe: Decorator, model: tuple[Decorator, ...] = ()) -> Decorator:
        """Returns the options that all recipes share, with those of one *recipe* and of its *model*."""
        groups = [
            cloup.option_group(
                "Data",
                cloup.option(
                    "--data",
                    multiple=True,
                    required=True,
                    type=click.Path(path_type=Path),
                    help="File, folder or hub data set (hf:NAME[:CONFIG]). Repeatable.",
                ),
                cloup.option(
                    "--output",
                    required=True,
                    type=click.Path(file_okay=False, path_type=Path),
                    help="Model folder to write.",
                ),
                *recipe,
            ),
            cloup.option_group(
                "Model",
                self.option("--base", str, "Model folder to start from.", if_none="the built-in encoder"),
                self.option("--max-tokens", click.IntRange(min=8), "Number of tokens after which texts are truncated."),
                *model,
            ),
            cloup.option_group(
                "Training",
                self.option("--epochs", _POSITIVE, "Number of epochs."),
                self.option("--max-steps", _COUNT, "Number of steps after which training stops.", if_none="no limit"),
                self.option("--batch-size", _COUNT, "Number of examples per step."),
                self.option("--learning-rate", _POSITIVE, "Peak learning rate.", if_none=self._learning_rate()),
                self.option("--warmup", _FRACTION, "Fraction of the steps in which the learning rate rises."),
                self.option("--evaluate-every", _COUNT, "Number of steps between evaluations."),
                self.option("--keep-checkpoints", _COUNT, "Number of checkpoints to keep."),
                self.option("--threads", _COUNT, "Number of CPU threads.", if_none="all"),
                self.option("--seed", int, "Random seed. Equal seeds and data give equal models."),
            ),
        ]

        def decorated(function: Any) -> Any:
            for group in reversed(groups):
                function = group(function)
            return json_option(function)

        return decorated

    def _learning_rate(self) -> str:
        return "" if self._defaults["learning_rate"] is not None else "3e-05; 0.0002 for translations"

    def development(self) -> Decorator:
        """Returns the option of the held-out data."""
        return self.option("--development", _FRACTION, "Fraction of the data to hold out for evaluation.")

    def teacher_weight(self) -> Decorator:
        """Returns the option of the weight of the teacher's order."""
        return self.option("--teacher-weight", _FRACTION, "Weight of the teacher's order in the loss.")

    def negatives(self) -> Decorator:
        """Returns the option of the number of negatives."""
        return self.option(
            "--negatives-count", click.IntRange(min=0), "Number of negatives per positive.", name="negatives"
        )


_PAIRS, _STS, _NLI = _Recipe(PairsOptions), _Recipe(StsOptions), _Recipe(NliOptions)
_DISTILL, _ENCODER = _Recipe(DistillOptions), _Recipe(EncoderOptions)
_mining_options = cloup.option_group("Hard negatives", *NEGATIVES_OPTIONS, *setting_options("store", "encoder", "mode"))


@command.command(
    name="pairs",
    section=COMMANDS,
    epilog=epilog("rerank-cli train pairs --data judgments.jsonl --output my-reranker"),
)
@_PAIRS.options(
    _PAIRS.development(),
    _PAIRS.negatives(),
    model=(
        _PAIRS.option("--loss", click.Choice(["listwise", "pairwise", "pointwise"]), "Loss on the labels."),
        _PAIRS.teacher_weight(),
    ),
)
@_mining_options
@with_settings
def pairs(*, as_json: bool, settings: Settings, **options: Any) -> None:
    """Train a reranker on judged pairs of query and passage.

    DATA is JSON lines of {"query", "passage", "label"} with labels from 0 to 1, or a BEIR folder with qrels.
    """
    source = NegativesSource.taken_from(options)

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.pairs import train_pairs

        return train_pairs(PairsOptions(**_with_mined(options, source, settings, reports), **reports))

    _train(run, as_json)


@command.command(
    name="sts",
    section=COMMANDS,
    epilog=epilog("rerank-cli train sts --data stsb --language en --output my-similarity", settings=False),
)
@_STS.options(
    _STS.option("--language", _LANGUAGE, "Language of the sentence pairs."),
    model=(_STS.option("--student", _STUDENT, "Architecture to build from a bi-encoder base."),),
)
def sts(*, as_json: bool, **options: Any) -> None:
    """Train a similarity model on scored sentence pairs.

    DATA is a folder in the layout of the STS benchmark: train, dev and test files for each language. The model learns
    each pair in both orders, with the label score / 5.
    """

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.sts import train_sts

        return train_sts(StsOptions(**_given(options), **reports))

    _train(run, as_json)


@command.command(
    name="encoder",
    section=COMMANDS,
    epilog=epilog("rerank-cli train encoder --data questions.jsonl --output my-encoder"),
)
@_ENCODER.options(
    _ENCODER.development(),
    _ENCODER.negatives(),
    _ENCODER.option("--join", _COUNT, "Translations: highest number of texts joined into one."),
    model=(
        _ENCODER.option("--teacher", str, "Translations: encoder to learn from.", if_none="the base"),
        _ENCODER.option("--teacher-language", str, "Translations: language that the teacher supports."),
        _ENCODER.option("--words-rate", _POSITIVE, "Translations: learning rate factor of the word embeddings."),
        _ENCODER.option(
            "--mini-batch",
            click.IntRange(min=0),
            "Queries: number of texts to encode at once, to save memory.",
            if_none="the whole batch",
        ),
        _ENCODER.teacher_weight(),
    ),
)
@_mining_options
@with_settings
def encoder(*, as_json: bool, settings: Settings, **options: Any) -> None:
    """Train a bi-encoder on queries with their passages, or on texts with their translations.

    DATA is what `train pairs` accepts, JSON lines of {"query", "positive"}, or JSON lines of {"en": text, "it": text}.
    """
    source = NegativesSource.taken_from(options)

    def run(reports: Reports) -> Any:
        from rerank.models.training.recipes.encoder import train_encoder

        return train_encoder(EncoderOptions(**_with_mined(options, source, settings, reports), **reports))

    _train(run, as_json)


@command.command(
    name="nli",
    section=COMMANDS,
    epilog=epilog("rerank-cli train nli --data nli --language en --output my-nli", settings=False),
)
@_NLI.options(_NLI.option("--language", _LANGUAGE, "Language of the files to use."), _NLI.development())
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
    epilog=epilog(
        "rerank-cli train distill --data queries.jsonl --teacher my-reranker --layers 2 --output small", settings=False
    ),
)
@_DISTILL.options(
    _DISTILL.development(),
    _DISTILL.negatives(),
    model=(
        _DISTILL.option("--layers", _COUNT, "Number of the base's layers to keep.", if_none="all"),
        _DISTILL.option("--student", _STUDENT, "Architecture to build from a bi-encoder base."),
    ),
)
@cloup.option_group(
    "Teacher",
    _DISTILL.option("--teacher", str, "Reranker or encoder to learn from."),
    cloup.option("--teacher-index", help="Index to search for the data's queries; the fused scores are the teacher."),
    _DISTILL.teacher_weight(),
    *setting_options("store", "encoder", "reranker", "mode", "depth"),
)
@with_settings
def distill(*, as_json: bool, teacher_index: str | None, settings: Settings, **options: Any) -> None:
    """Train a reranker, possibly with fewer layers, on another model's scores.

    DATA is what `train pairs` accepts, or JSON lines of {"query", "passages", "scores"}.
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
    """Returns *options* without those that leave the default of the options class."""
    return {name: value for name, value in options.items() if value is not None}


def _with_mined(
    options: dict[str, Any], source: NegativesSource, settings: Settings, reports: Reports
) -> dict[str, Any]:
    """Returns *options* with the data replaced by the file of mined negatives, if there is an index to mine."""
    given = _given(options)
    data = source.mined(
        given["data"],
        settings,
        output=given["output"],
        count=max(given["negatives"], _FEWEST_MINED),
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
            typed = shlex.join(["rerank-cli", *sys.argv[1:]])
            raise KeyboardInterrupt(f"The checkpoint is saved. To resume, run: {typed}") from None
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
