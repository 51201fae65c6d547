"""`rerank-cli score`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from rerank.cli.options import RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import absolute, print_json, print_message, print_table, shortened
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.pairs import PairPredictions, TextPair

TEXT_CHARS = 40


@cloup.command(
    name="score",
    epilog=epilog('rerank-cli score "what is tea" "Tea is a drink." --model e5-small-western-v1'),
)
@cloup.argument("texts", metavar="[TEXT1 TEXT2]", nargs=-1)
@cloup.option_group(
    "Pairs",
    cloup.option(
        "--pairs",
        type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
        help='File with one {"text1": …, "text2": …} or ["…", "…"] per line; - for stdin.',
    ),
)
@cloup.option_group(
    "Models",
    cloup.option(
        "--model", help="Built-in name, model folder or hub id of a cross-encoder.", show_default="the setting reranker"
    ),
    *setting_options(*RUNTIME),
)
@json_option
@with_settings
def command(
    *, texts: tuple[str, ...], pairs: Path | None, model: str | None, as_json: bool, settings: Settings
) -> None:
    """Score pairs of texts with a cross-encoder.

    A reranker returns the probability that TEXT2 answers TEXT1, a similarity model the similarity of the texts, and a
    classifier the probability of each label.
    """
    if bool(texts) == (pairs is not None):
        raise click.UsageError("Pass either two texts or --pairs FILE.")
    if texts and len(texts) != 2:
        raise click.UsageError(f"The number of texts must be 2, got {len(texts)}. Quote texts that contain spaces.")
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.pair_models import load_pair_model
    from rerank.models.promotion import with_promoted

    text_pairs: list[TextPair] = [(texts[0], texts[1])] if texts else list(_read_pairs(pairs or Path("-")))
    if not text_pairs:
        raise click.ClickException(f"{_shown(pairs or Path('-'))} contains no pairs.")
    name = model or with_promoted(settings).reranker
    predictions = load_pair_model(name, compute=ComputeOptions.of(settings)).predict(text_pairs)
    if as_json:
        print_json([_to_json(pair, predictions, i) for i, pair in enumerate(text_pairs)])
    else:
        _print(text_pairs, predictions)
    if truncated := int(predictions.truncated.sum()):
        print_message(f"{truncated} of {len(text_pairs)} pairs were truncated to fit the model.")


def _read_pairs(file: Path) -> Iterator[TextPair]:
    try:
        with click.open_file(str(file), encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _pair(line, f"{_shown(file)}:{number}")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise click.ClickException(f"Cannot read {_shown(file)}: {reason}.") from exc


def _pair(line: str, location: str) -> TextPair:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise click.ClickException(f"{location}: the line must be JSON: {exc}.") from exc
    texts = (value.get("text1"), value.get("text2")) if isinstance(value, dict) else value
    if not isinstance(texts, list | tuple) or len(texts) != 2 or not all(isinstance(text, str) for text in texts):
        raise click.ClickException(
            f'{location}: the line must be a pair: {{"text1": "…", "text2": "…"}} or ["…", "…"].'
        )
    return str(texts[0]), str(texts[1])


def _shown(file: Path) -> str:
    return "stdin" if str(file) == "-" else absolute(file)


def _to_json(pair: TextPair, predictions: PairPredictions, i: int) -> dict[str, object]:
    from rerank.core.search import rounded

    logits = dict(zip(predictions.labels, predictions.logits[i].tolist(), strict=True))
    scores = [
        {"label": label.label, "score": rounded(label.score), "logit": rounded(logits[label.label])}
        for label in predictions.ranked(i)
    ]
    return {"text1": pair[0], "text2": pair[1], "scores": scores, "truncated": bool(predictions.truncated[i])}


def _print(pairs: list[TextPair], predictions: PairPredictions) -> None:
    rows = []
    for i, pair in enumerate(pairs):
        texts = [shortened(text or "", TEXT_CHARS) for text in pair]
        rows += [[f"{label.score:.4f}", label.label, *texts] for label in predictions.ranked(i)]
    print_table(["score", "label", "text1", "text2"], rows)
