"""rerank-cli score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rerank.cli.failures import Failed, Misused
from rerank.cli.flags import COMPUTING, json_flag, settings_flags
from rerank.cli.output import print_json, print_table, shortened, tell
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.pairs import PairPredictions, TextPair

TEXT_CHARS = 40


@click.command(name="score")
@click.argument("texts", nargs=-1)
@click.option(
    "--pairs",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help='A file of JSON lines, {"text1", "text2"} or ["…", "…"]; - reads stdin.',
)
@click.option("--model", help="Built-in name, model folder or hub id.  [default: the setting reranker]")
@settings_flags("reranker", "models_home", *COMPUTING)
@json_flag
def command(
    *, texts: tuple[str, ...], pairs: Path | None, model: str | None, as_json: bool, settings: Settings
) -> None:
    """Say what a cross-encoder says of pairs of texts.

    TEXTS are two, TEXT1 and TEXT2. A reranker gives how probably the second answers the first, a similarity model how
    alike they are, a classifier (entailment, say) the probability of each label.
    """
    if bool(texts) == (pairs is not None):
        raise Misused("give two texts, or --pairs FILE")
    if texts and len(texts) != 2:
        raise Misused(f"give two texts, not {len(texts)}; a text of several words needs quotes")
    from rerank.models.computing import Computing
    from rerank.models.pair_models import load_pair_model
    from rerank.models.promotion import with_promoted

    read: list[TextPair] = [(texts[0], texts[1])] if texts else list(_pairs(pairs or Path("-")))
    if not read:
        raise Failed(f"{pairs}: holds no pair")
    name = model or with_promoted(settings).reranker
    predictions = load_pair_model(name, computing=Computing.of(settings)).predict(read)
    if as_json:
        print_json([_described(pair, predictions, i) for i, pair in enumerate(read)])
    else:
        _show(read, predictions)
    if cut := int(predictions.truncated.sum()):
        tell(f"{cut} of {len(read)} pairs are longer than the model reads; their ends were cut")


def _pairs(file: Path) -> Iterator[TextPair]:
    try:
        with click.open_file(str(file), encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _pair(line, f"{file}:{number}")
    except (OSError, UnicodeDecodeError) as exc:
        raise Failed(f"{file}: cannot be read: {exc.strerror if isinstance(exc, OSError) else exc}") from exc


def _pair(line: str, place: str) -> TextPair:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise Failed(f"{place}: not JSON: {exc}") from exc
    found = (value.get("text1"), value.get("text2")) if isinstance(value, dict) else value
    if not isinstance(found, list | tuple) or len(found) != 2 or not all(isinstance(text, str) for text in found):
        raise Failed(f'{place}: no pair; each line is {{"text1": "…", "text2": "…"}} or ["…", "…"]')
    return str(found[0]), str(found[1])


def _described(pair: TextPair, predictions: PairPredictions, i: int) -> dict[str, object]:
    from rerank.core.search import rounded

    logits = dict(zip(predictions.labels, predictions.logits[i].tolist(), strict=True))
    scores = [
        {"label": one.label, "score": rounded(one.score), "logit": rounded(logits[one.label])}
        for one in predictions.ranked(i)
    ]
    return {"text1": pair[0], "text2": pair[1], "scores": scores, "truncated": bool(predictions.truncated[i])}


def _show(pairs: list[TextPair], predictions: PairPredictions) -> None:
    rows = []
    for i, pair in enumerate(pairs):
        texts = [shortened(text or "", TEXT_CHARS) for text in pair]
        rows += [[f"{one.score:.4f}", one.label, *texts] for one in predictions.ranked(i)]
    print_table(["score", "label", "text1", "text2"], rows)
