"""The course of an encoder over queries with their passages: what is learned, and what is measured on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.negatives import POSITIVES
from rerank.models.training.data.ranking_lists import TrainingData
from rerank.models.training.data.text_batches import Side, TextBatches, TextTokenizer
from rerank.models.training.losses.contrastive import HeldOutQueries, QueryBatches, QueryExample
from rerank.models.training.options import EncoderOptions

HELD_OUT = 300
"""At most so many queries are measured on."""
CANDIDATES = 3000
"""Passages that the held-out queries are searched among, beside those that answer them."""


@dataclass(frozen=True)
class QuerySplit:
    """Batches to learn from, and the queries that are held out."""

    train: QueryBatches
    held_out: HeldOutQueries

    @classmethod
    def of(cls, data: TrainingData, reader: TextTokenizer, *, options: EncoderOptions) -> QuerySplit:
        """Divide *data* by query. Raises TrainingDataError where what is left does not fill a batch."""
        draw = random.Random(options.seed)
        passages, asked = questions(data, negatives=options.negatives, draw=draw)
        queries = sorted({one.query for one in asked})
        draw.shuffle(queries)
        held_out = set(queries[: min(HELD_OUT, max(1, round(options.development * len(queries))))])
        learned = [one for one in asked if one.query not in held_out]
        if len(learned) < options.batch_size:
            raise TrainingDataError(
                f"{len(learned)} pairs are left to learn from ({len(held_out)} of {len(queries)} queries are held out),"
                f" fewer than a batch of {options.batch_size}: lower --batch-size, or bring more judgments"
            )
        draw.shuffle(learned)
        measured = {one.query: one for one in asked if one.query in held_out}
        kept, candidates = _among(list(measured.values()), len(passages), draw)

        def read(texts: Sequence[str], side: Side) -> TextBatches:
            return reader.read(texts, side=side, max_tokens=options.max_tokens)

        return cls(
            QueryBatches(learned, read([one.query for one in learned], "query"), read(passages, "document")),
            HeldOutQueries(
                kept,
                read([one.query for one in kept], "query"),
                read([passages[row] for row in candidates], "document"),
            ),
        )


def questions(data: TrainingData, *, negatives: int, draw: random.Random) -> tuple[list[str], list[QueryExample]]:
    """Every different passage of *data*, and a question for each relevant one (five of a query at most)."""
    rows: dict[str, int] = {}

    def row(text: str) -> int:
        return rows.setdefault(text, len(rows))

    asked: list[QueryExample] = []
    for one in data.lists:
        if not one.labels[0]:
            continue
        others = tuple(row(text) for text in one.passages[1 : 1 + negatives])
        positive = row(one.passages[0])
        asked.append(QueryExample(one.query, positive, others, frozenset({positive})))
    for judged in data.judged:
        answers = frozenset(row(text) for text in judged.relevant)
        others = tuple(row(text) for text in judged.irrelevant[:negatives])
        drawn = draw.sample(sorted(answers), min(POSITIVES, len(answers)))
        asked.extend(QueryExample(judged.query, positive, others, answers) for positive in drawn)
    for text in data.pool:
        row(text)
    return list(rows), _with_all_answers(asked)


def _with_all_answers(asked: Sequence[QueryExample]) -> list[QueryExample]:
    """A query may stand in several lists: what answers it in one is no negative in another."""
    answers: dict[str, set[int]] = {}
    for one in asked:
        answers.setdefault(one.query, set()).update(one.answers)
    return [
        QueryExample(
            one.query,
            one.positive,
            tuple(row for row in one.negatives if row not in answers[one.query]),
            frozenset(answers[one.query]),
        )
        for one in asked
    ]


def _among(
    measured: Sequence[QueryExample], passages: int, draw: random.Random
) -> tuple[list[QueryExample], list[int]]:
    """The held-out questions with rows among the candidates, and the candidates' rows among all passages."""
    needed = dict.fromkeys(row for one in measured for row in (*sorted(one.answers), *one.negatives))
    others = [row for row in range(passages) if row not in needed]
    candidates = [*needed, *draw.sample(others, min(CANDIDATES, len(others)))]
    places = {row: place for place, row in enumerate(candidates)}
    renumbered = [
        QueryExample(
            one.query,
            places[one.positive],
            tuple(places[row] for row in one.negatives),
            frozenset(places[row] for row in one.answers),
        )
        for one in measured
    ]
    return renumbered, candidates
