"""Formats of one line of ranking data: ours, and those of FlagEmbedding, sentence-transformers and Tevatron."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import Row, get_number, get_text, get_texts
from rerank.models.training.data.ranking_lists import RankingList

FORMATS = (
    ("labelled pair", '{"query", "passage", "label"}'),
    ("list", '{"query", "positive", "negatives": [...]}'),
    ("scored list", '{"query", "passages": [...], "scores": [...]}'),
    ("sentence-transformers", '{"anchor", "positive", "negative"}, also "negative_1", "negative_2", ...'),
    ("FlagEmbedding", '{"query", "pos": [...], "neg": [...]}, also with "pos_scores", "neg_scores"'),
    ("Tevatron", '{"query", "positive_passages": [{"title", "text"}], "negative_passages": [...]}'),
    ("translations, train encoder only", '{"en", "it"} or any other language codes'),
)
_NEGATIVE = re.compile(r"negative(_\d+)?")


@dataclass(frozen=True)
class ParsedRow:
    """Content of a line: complete lists, or passages of a query with their labels from 0 to 1.

    `positive_only`: the format has no negatives, so that all labels are above 0.
    """

    query: str
    lists: Sequence[RankingList] = ()
    labels: Mapping[str, float] | None = None
    positive_only: bool = False


def parse_row(row: Row, location: str) -> ParsedRow:
    """Returns the content of *row*, whose format is recognised by its keys.

    Raises TrainingDataError, with *location*, if no format fits or a value is invalid.
    """
    for key, parse in _PARSERS.items():
        if key in row:
            return parse(row, location)
    found = ", ".join(f'"{key}"' for key in row) or "none"
    accepted = "; ".join(f"{keys} ({name})" for name, keys in FORMATS)
    raise TrainingDataError(
        f"{location}: the keys must be those of an accepted format, got {found}. Accepted are: {accepted}."
    )


def query_of(row: Row, location: str) -> str:
    """Returns the query of *row* in any of the formats. Raises TrainingDataError if it has none."""
    return get_text(row, "anchor" if "anchor" in row and "query" not in row else "query", location)


def _labelled_pair(row: Row, location: str) -> ParsedRow:
    query, passage = query_of(row, location), get_text(row, "passage", location)
    return ParsedRow(query, labels={passage: get_number(row, "label", location, maximum=1.0)})


def _positive(row: Row, location: str) -> ParsedRow:
    """Parses our lists, sentence-transformers' triplets, and either without negatives."""
    query, positive = query_of(row, location), get_text(row, "positive", location)
    if "negatives" in row:
        negatives = get_texts(row, "negatives", location)
    else:
        columns = sorted(filter(_NEGATIVE.fullmatch, row), key=lambda key: (len(key), key))
        negatives = [get_text(row, column, location) for column in columns]
    if not negatives:
        return ParsedRow(query, labels={positive: 1.0}, positive_only=True)
    label = get_number({"label": 1.0, **row}, "label", location, maximum=1.0)
    passages = (positive, *negatives)
    cosines = _teacher_cosines(row, len(passages), location)
    return ParsedRow(query, [RankingList(query, passages, (label, *[0.0] * len(negatives)), cosines)])


def _teacher_cosines(row: Row, count: int, location: str) -> tuple[float, ...]:
    cosines = row.get("teacher", [])
    if not isinstance(cosines, list) or len(cosines) not in (0, count):
        raise TrainingDataError(f'{location}: "teacher" must have one cosine for the positive and each negative.')
    if not all(isinstance(cosine, float | int) and -1.01 <= cosine <= 1.01 for cosine in cosines):
        raise TrainingDataError(f'{location}: "teacher" must have numbers from -1 to 1, cosines.')
    return tuple(map(float, cosines))


def _scored_list(row: Row, location: str) -> ParsedRow:
    query, passages = query_of(row, location), get_texts(row, "passages", location, at_least=2)
    scores = _scores(row, "scores", len(passages), location)
    return ParsedRow(query, [RankingList(query, tuple(passages), (0.0,) * len(passages), scores=scores)])


def _flag_embedding(row: Row, location: str) -> ParsedRow:
    query, positives = query_of(row, location), get_texts(row, "pos", location)
    negatives = get_texts(row, "neg", location, at_least=0) if row.get("neg") is not None else []
    if not row.get("pos_scores"):
        return _positives(query, positives, negatives)
    return _positives(
        query,
        positives,
        negatives,
        scores=(
            _scores(row, "pos_scores", len(positives), location),
            _scores(row, "neg_scores", len(negatives), location),
        ),
    )


def _tevatron(row: Row, location: str) -> ParsedRow:
    return _positives(
        query_of(row, location),
        _titled_passages(row, "positive_passages", location, at_least=1),
        _titled_passages(row, "negative_passages", location, at_least=0),
    )


def _titled_passages(row: Row, key: str, location: str, *, at_least: int) -> list[str]:
    passages = row.get(key, [])
    if not isinstance(passages, list) or len(passages) < at_least or not all(isinstance(p, dict) for p in passages):
        raise TrainingDataError(
            f'{location}: "{key}" must be a list of at least {at_least} objects with "title" and "text".'
        )
    return [
        f"{passage.get('title') or ''} {get_text(passage, 'text', f'{location}: {key}[{number}]')}".strip()
        for number, passage in enumerate(passages)
    ]


def _positives(
    query: str,
    positives: Sequence[str],
    negatives: Sequence[str],
    *,
    scores: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> ParsedRow:
    """Returns a list for each positive, or labels if there are no negatives."""
    if not negatives:
        return ParsedRow(query, labels=dict.fromkeys(positives, 1.0), positive_only=True)
    labels = (1.0, *[0.0] * len(negatives))
    return ParsedRow(
        query,
        [
            RankingList(query, (positive, *negatives), labels, scores=(scores[0][number], *scores[1]) if scores else ())
            for number, positive in enumerate(positives)
        ],
    )


def _scores(row: Row, key: str, count: int, location: str) -> tuple[float, ...]:
    scores = row.get(key)
    if scores is None and not count:
        return ()
    if not isinstance(scores, list) or len(scores) != count:
        raise TrainingDataError(f'{location}: "{key}" must have one number per passage, {count} in all.')
    if not all(isinstance(score, float | int) and math.isfinite(score) for score in scores):
        raise TrainingDataError(f'{location}: "{key}" must have finite numbers, a teacher\'s logits.')
    return tuple(map(float, scores))


_PARSERS: Mapping[str, Callable[[Row, str], ParsedRow]] = {
    "positive_passages": _tevatron,
    "pos": _flag_embedding,
    "scores": _scored_list,
    "passages": _scored_list,
    "positive": _positive,
    "passage": _labelled_pair,
}
"""Parsers by the key that identifies their format, in the order of the checks."""
