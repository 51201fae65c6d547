"""rerank-cli train."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rerank.cli.failures import Misused
from rerank.cli.flags import json_flag, settings_flags
from rerank.cli.mining import NegativesSource, negatives_flags, searched
from rerank.cli.output import print_json, print_table, tell
from rerank.cli.steps import Steps
from rerank.core.settings import Settings

_ABOVE_0 = click.FloatRange(min=0, min_open=True)
_SHARE = click.FloatRange(min=0, max=1)


@click.group(name="train")
def command() -> None:
    """Train models on your own data. The same command after a kill goes on from the last checkpoint."""


def _recipe(recipe: Callable[..., None]) -> Callable[..., None]:
    """The flags that every recipe has. A flag that is not given leaves the recipe's own default."""
    flags: list[Callable[[Any], Any]] = [
        click.option(
            "--data",
            multiple=True,
            required=True,
            type=click.Path(path_type=Path),
            help="A file, a folder or hf:NAME[:CONFIG]; may be given several times.",
        ),
        click.option(
            "--output",
            required=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="The model folder to write.",
        ),
        click.option("--base", help="What to start from: a model folder.  [default: the built-in encoder]"),
        click.option("--epochs", type=_ABOVE_0, help="Times that the data is read."),
        click.option("--max-steps", type=click.IntRange(min=1), help="Stop after so many steps."),
        click.option("--batch-size", type=click.IntRange(min=1), help="Examples a step."),
        click.option("--learning-rate", type=_ABOVE_0, help="The highest learning rate."),
        click.option("--warmup", type=_SHARE, help="The part of the steps in which the rate rises."),
        click.option("--max-tokens", type=click.IntRange(min=8), help="Tokens that are read of a text."),
        click.option("--evaluate-every", type=click.IntRange(min=1), help="Steps between two evaluations."),
        click.option("--keep-checkpoints", type=click.IntRange(min=1), help="The last so many stay."),
        click.option("--threads", type=click.IntRange(min=1), help="Of the processor.  [default: all]"),
        click.option("--seed", type=int, help="Equal seeds on equal data give equal models."),
        json_flag,
    ]
    decorated: Any = recipe
    for flag in reversed(flags):
        decorated = flag(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators keep the callable


_development = click.option("--development", type=_SHARE, help="The part that is held out to measure on.")
_teacher_weight = click.option(
    "--teacher-weight", type=_SHARE, help="How much of the loss holds the model near its base's own order."
)
_student = click.option("--student", type=click.Choice(["joint", "cross-encoder"]), help="What a bi-encoder becomes.")
_negatives = click.option(
    "--negatives-count", "negatives", type=click.IntRange(min=0), help="Negatives that are learned with a positive."
)
_FEWEST_MINED = 9
"""Held-out lists are longer than those that are learned from."""


@command.command(name="pairs")
@click.option("--loss", type=click.Choice(["listwise", "pairwise", "pointwise"]), help="What the labels teach.")
@_negatives
@_teacher_weight
@_development
@negatives_flags
@settings_flags("store", "encoder", "mode")
@_recipe
def pairs(*, as_json: bool, negatives_from: NegativesSource, settings: Settings, **given: Any) -> None:
    """A reranker from judged pairs of query and passage.

    DATA is JSON lines of {"query", "passage", "label"} with labels from 0 to 1, or a BEIR folder with qrels.
    """
    from rerank.models.training.options import PairsOptions
    from rerank.models.training.recipes.pairs import train_pairs

    def run(reports: dict[str, Any]) -> Any:
        return train_pairs(PairsOptions(**_mined(given, negatives_from, settings, reports), **reports))

    _train(run, as_json)


@command.command(name="sts")
@click.option(
    "--language", type=click.Choice(["it", "en", "both"]), help="The part of the data to train on.  [default: it]"
)
@_student
@_recipe
def sts(*, as_json: bool, **given: Any) -> None:
    """A similarity model from scored sentence pairs: every pair in both orders, label = score / 5.

    DATA is a folder in the layout of the STS benchmark: train, dev and test files for each language.
    """
    from rerank.models.training.options import StsOptions
    from rerank.models.training.recipes.sts import train_sts

    _train(lambda reports: train_sts(StsOptions(**_set(given), **reports)), as_json)


@command.command(name="encoder")
@click.option("--teacher", help="Translations: the encoder that is learned from.  [default: the base]")
@click.option("--teacher-language", help="Translations: the language that the teacher reads.  [default: en]")
@click.option("--join", type=click.IntRange(min=1), help="Translations: texts are also joined, so many at most.")
@click.option("--words-rate", type=_ABOVE_0, help="Translations: how much faster the words' vectors move.")
@_negatives
@click.option("--mini-batch", type=click.IntRange(min=0), help="Queries: encode so many at once, to save memory.")
@_teacher_weight
@_development
@negatives_flags
@settings_flags("store", "encoder", "mode")
@_recipe
def encoder(*, as_json: bool, negatives_from: NegativesSource, settings: Settings, **given: Any) -> None:
    """A bi-encoder, from queries with their passages or from texts with their translations.

    DATA is what `train pairs` takes, or JSON lines of {"query", "positive"}; or JSON lines of {"en": text, "it": text}.
    """
    from rerank.models.training.options import EncoderOptions
    from rerank.models.training.recipes.encoder import train_encoder

    def run(reports: dict[str, Any]) -> Any:
        return train_encoder(EncoderOptions(**_mined(given, negatives_from, settings, reports), **reports))

    _train(run, as_json)


@command.command(name="nli")
@click.option("--language", type=click.Choice(["it", "en", "both"]), help="The files to read.  [default: both]")
@_development
@_recipe
def nli(*, as_json: bool, **given: Any) -> None:
    """A classifier of entailment, neutral and contradiction, or of entailment and its absence.

    DATA is JSON lines of {"premise", "hypothesis", "label"}, or folders whose files are named train, dev and test.
    """
    from rerank.models.training.options import NliOptions
    from rerank.models.training.recipes.nli import train_nli

    _train(lambda reports: train_nli(NliOptions(**_set(given), **reports)), as_json)


@command.command(name="distill")
@click.option("--teacher", help="The reranker or encoder that is learned from.")
@click.option("--layers", type=click.IntRange(min=1), help="Keep so many of the base's layers.  [default: all]")
@_student
@_negatives
@_teacher_weight
@_development
@click.option("--teacher-index", help="Learn the fused scores of searches in this index for the data's queries.")
@settings_flags("store", "encoder", "reranker", "mode", "depth")
@_recipe
def distill(*, as_json: bool, teacher_index: str | None, settings: Settings, **given: Any) -> None:
    """A reranker that learns another model's scores, with fewer layers if you like.

    DATA is what `train pairs` takes, or JSON lines of {"query", "passages", "scores"}.
    """
    if teacher_index is not None and given["teacher"] is not None:
        raise Misused("--teacher and --teacher-index are two teachers; name one")
    from rerank.models.training.options import DistillOptions
    from rerank.models.training.recipes.distill import train_distill

    def run(reports: dict[str, Any]) -> Any:
        told = _set(given)
        if teacher_index is not None:
            report = reports["on_preparation"]
            told["data"] = searched(told["data"], settings, index=teacher_index, output=told["output"], report=report)
        return train_distill(DistillOptions(**told, **reports))

    _train(run, as_json)


def _set(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _mined(
    given: dict[str, Any], source: NegativesSource, settings: Settings, reports: dict[str, Any]
) -> dict[str, Any]:
    """What was given, with the data replaced by what was mined for it, where an index is named."""
    told = _set(given)
    more = {
        "count": max(told.get("negatives", 0), _FEWEST_MINED),
        "seed": told.get("seed"),
        "on_preparation": reports["on_preparation"],
    }
    return {**told, "data": source.data(told["data"], settings, output=told["output"], more=more)}


def _train(run: Callable[[dict[str, Any]], Any], as_json: bool) -> None:
    with Steps("steps") as steps, Steps("prepared") as prepared:
        reports = {
            "on_progress": lambda done, of, loss: steps.advance(done, of, f"loss {loss:.4f}"),
            "on_preparation": lambda what, done, of: prepared.advance(done, of, what),
        }
        try:
            report = run(reports).to_json()
        except KeyboardInterrupt:
            typed = shlex.join(["rerank-cli", *sys.argv[1:]])
            raise KeyboardInterrupt(f"what was learned is kept; to go on: {typed}") from None
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
    print_table(["", "before", "after"], rows)
    tell(f"the model is in {report['model']}")
