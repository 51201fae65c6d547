"""rerank-cli train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.flags import json_flag
from cli.output import print_json, print_table, tell
from cli.steps import Steps


@click.group(name="train")
def command() -> None:
    """Train a cross-encoder on your own data. The same command after a kill goes on from the last checkpoint."""


def _recipe(recipe: Callable[..., None]) -> Callable[..., None]:
    """The flags that every recipe has. A flag that is not given leaves the recipe's own default."""
    flags: list[Callable[[Any], Any]] = [
        click.option(
            "--data",
            multiple=True,
            required=True,
            type=click.Path(path_type=Path),
            help="A file or folder; may be given several times.",
        ),
        click.option(
            "--output",
            required=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="The model folder to write.",
        ),
        click.option("--base", help="What to start from: a model folder.  [default: the built-in encoder]"),
        click.option("--epochs", type=click.FloatRange(min=0, min_open=True), help="Times that the data is read."),
        click.option("--max-steps", type=click.IntRange(min=1), help="Stop after so many steps."),
        click.option("--batch-size", type=click.IntRange(min=1), help="Examples a step."),
        click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="The highest learning rate."),
        click.option("--seed", type=int, help="Equal seeds on equal data give equal models."),
        json_flag,
    ]
    decorated: Any = recipe
    for flag in reversed(flags):
        decorated = flag(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators keep the callable


@command.command(name="pairs")
@_recipe
def pairs(*, data: tuple[Path, ...], output: Path, as_json: bool, **given: Any) -> None:
    """A reranker from judged pairs of query and passage.

    DATA is JSON lines of {"query", "passage", "label"} with labels from 0 to 1, or a BEIR folder with qrels.
    """
    from models.training.options import PairsOptions
    from models.training.pairs import train_pairs

    _train(
        lambda progress: train_pairs(PairsOptions(data=data, output=output, on_progress=progress, **_set(given))),
        as_json,
    )


@command.command(name="sts")
@click.option(
    "--language", type=click.Choice(["it", "en", "both"]), help="The part of the data to train on.  [default: it]"
)
@_recipe
def sts(*, data: tuple[Path, ...], output: Path, as_json: bool, **given: Any) -> None:
    """A similarity model from scored sentence pairs: every pair in both orders, label = score / 5.

    DATA is a folder in the layout of the STS benchmark: train, dev and test files for each language.
    """
    from models.training.options import StsOptions
    from models.training.sts import train_sts

    _train(
        lambda progress: train_sts(StsOptions(data=data, output=output, on_progress=progress, **_set(given))), as_json
    )


def _set(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _train(run: Callable[[Callable[[int, int, float], None]], Any], as_json: bool) -> None:
    with Steps("steps") as steps:
        report = run(lambda done, of, loss: steps.advance(done, of, f"loss {loss:.4f}")).to_json()
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
