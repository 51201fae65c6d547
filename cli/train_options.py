"""Command-line options of the training recipes, with the defaults of the recipes' options classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import cloup

from rerank.cli.options import json_option
from rerank.models.training.options import RunOptions

_POSITIVE = click.FloatRange(min=0, min_open=True)
_FRACTION = click.FloatRange(min=0, max=1)
_COUNT = click.IntRange(min=1)
_COUNT_OR_0 = click.IntRange(min=0)
_REQUIRED = (
    cloup.option(
        "--data",
        multiple=True,
        required=True,
        type=click.Path(path_type=Path),
        help="File, folder or hub data set (hf:NAME[:CONFIG]). Repeatable.",
    ),
    cloup.option(
        "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Model folder to write."
    ),
)


@dataclass(frozen=True)
class _TrainOption:
    """Option of a recipe. `unset` describes a default of None or 0; `flag` replaces the flag of the field's name."""

    type: Any
    help: str
    unset: str = ""
    flag: str = ""


GROUPS = {
    "Data": {
        "language": _TrainOption(click.Choice(["it", "en", "both"]), "Language of the files to use."),
        "development": _TrainOption(_FRACTION, "Fraction of the data to hold out for evaluation."),
        "negatives": _TrainOption(_COUNT_OR_0, "Number of negatives per positive.", flag="--negatives-count"),
        "join": _TrainOption(_COUNT, "Translations: maximum number of texts to join into one."),
    },
    "Model": {
        "base": _TrainOption(str, "Model folder to start from.", unset="the built-in encoder"),
        "student": _TrainOption(
            click.Choice(["joint", "cross-encoder"]), "Architecture to build from a bi-encoder base."
        ),
        "layers": _TrainOption(_COUNT, "Number of the base's layers to keep.", unset="all"),
        "max_tokens": _TrainOption(click.IntRange(min=8), "Maximum number of tokens; longer texts are truncated."),
    },
    "Loss": {
        "loss": _TrainOption(click.Choice(["listwise", "pairwise", "pointwise"]), "Loss on the labels."),
        "teacher": _TrainOption(str, "Model whose scores to learn. For translations: an encoder, by default the base."),
        "teacher_language": _TrainOption(str, "Translations: language that the teacher supports."),
        "teacher_weight": _TrainOption(_FRACTION, "Weight of the teacher's order in the loss."),
    },
    "Training": {
        "epochs": _TrainOption(_POSITIVE, "Number of epochs."),
        "max_steps": _TrainOption(_COUNT, "Maximum number of steps.", unset="no limit"),
        "batch_size": _TrainOption(_COUNT, "Number of examples per step."),
        "mini_batch": _TrainOption(
            _COUNT_OR_0, "Queries: number of texts to encode at once, to save memory.", unset="the whole batch"
        ),
        "learning_rate": _TrainOption(_POSITIVE, "Peak learning rate.", unset="3e-05; 0.0002 for translations"),
        "words_rate": _TrainOption(
            _POSITIVE, "Translations: learning rate of the word embeddings, as a multiple of --learning-rate."
        ),
        "warmup": _TrainOption(_FRACTION, "Fraction of the steps during which the learning rate rises."),
        "evaluate_every": _TrainOption(_COUNT, "Number of steps between evaluations."),
        "keep_checkpoints": _TrainOption(_COUNT, "Number of latest checkpoints to keep, besides the best."),
        "threads": _TrainOption(_COUNT, "Number of CPU threads.", unset="all"),
        "seed": _TrainOption(int, "Random seed. Equal seeds and data give equal models."),
    },
}


def recipe_options(options: type[RunOptions]) -> Callable[[Any], Any]:
    """Returns the command-line options for the fields of a recipe's *options* class, in groups."""
    defaults = {field.name: field.default for field in fields(options)}

    def decorated(command: Any) -> Any:
        command = json_option(command)
        for title, group in reversed(GROUPS.items()):
            members = [
                _click_option(name, option, defaults[name]) for name, option in group.items() if name in defaults
            ]
            if title == "Data":
                members = [*_REQUIRED, *members]
            if members:
                command = cloup.option_group(title, *members)(command)
        return command

    return decorated


def _click_option(name: str, option: _TrainOption, default: Any) -> Callable[[Any], Any]:
    default_options: dict[str, Any] = {"show_default": option.unset or False}
    if default:
        default_options = {"default": default, "show_default": True}
    return cloup.option(
        option.flag or f"--{name.replace('_', '-')}", name, type=option.type, help=option.help, **default_options
    )
