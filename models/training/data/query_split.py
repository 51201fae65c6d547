"""Training and held-out queries for an encoder."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.negatives import MAX_POSITIVES
from rerank.models.training.data.query_batches import QueryBatches, QueryExample
from rerank.models.training.data.ranking_lists import TrainingData
from rerank.models.training.data.text_batches import Side, TextBatches, TextTokenizer
from rerank.models.training.evaluation.retrieval import HeldOutQueries
from rerank.models.training.options import EncoderOptions

MAX_HELD_OUT = 300
"""Maximum number of held-out queries."""
CANDIDATES = 3000
"""Number of passages to rank for each held-out query, besides the relevant ones."""


@dataclass(frozen=True)
class QuerySplit:
    """Batches for training, and held-out queries for the evaluation."""

    train: QueryBatches
    held_out: HeldOutQueries

    @classmethod
    def of(cls, data: TrainingData, tokenizer: TextTokenizer, *, options: EncoderOptions) -> QuerySplit:
        """Splits *data* by query. Raises TrainingDataError if the training part does not fill a batch."""
        draw = random.Random(options.seed)
        passages, examples = query_examples(data, negatives=options.negatives, draw=draw)
        queries = sorted({example.query for example in examples})
        draw.shuffle(queries)
        held_out = set(queries[: min(MAX_HELD_OUT, max(1, round(options.development * len(queries))))])
        train = [example for example in examples if example.query not in held_out]
        if len(train) < options.batch_size:
            raise TrainingDataError(
                f"The training part has {len(train)} pairs ({len(held_out)} of {len(queries)} queries are held out),"
                f" fewer than a batch of {options.batch_size}. Lower --batch-size or add data."
            )
        draw.shuffle(train)
        evaluated = {example.query: example for example in examples if example.query in held_out}
        renumbered, candidates = _with_candidates(list(evaluated.values()), len(passages), draw)

        def tokenize(texts: Sequence[str], side: Side) -> TextBatches:
            return tokenizer.tokenize(texts, side=side, max_tokens=options.max_tokens)

        return cls(
            QueryBatches(
                train, tokenize([example.query for example in train], "query"), tokenize(passages, "document")
            ),
            HeldOutQueries(
                renumbered,
                tokenize([example.query for example in renumbered], "query"),
                tokenize([passages[row] for row in candidates], "document"),
            ),
        )


def query_examples(data: TrainingData, *, negatives: int, draw: random.Random) -> tuple[list[str], list[QueryExample]]:
    """Returns the different passages of *data*, and an example per relevant passage, at most MAX_POSITIVES per query.

    Lists without labels are skipped.
    """
    rows: dict[str, int] = {}

    def row(text: str) -> int:
        return rows.setdefault(text, len(rows))

    examples: list[QueryExample] = []
    for ranking_list in data.lists:
        if not ranking_list.labels[0]:
            continue
        others = tuple(row(text) for text in ranking_list.passages[1 : 1 + negatives])
        positive = row(ranking_list.passages[0])
        examples.append(QueryExample(ranking_list.query, positive, others, frozenset({positive})))
    for labelled in data.labelled:
        answers = frozenset(row(text) for text in labelled.relevant)
        others = tuple(row(text) for text in labelled.irrelevant[:negatives])
        drawn = draw.sample(sorted(answers), min(MAX_POSITIVES, len(answers)))
        examples.extend(QueryExample(labelled.query, positive, others, answers) for positive in drawn)
    for text in data.pool:
        row(text)
    return list(rows), _with_all_answers(examples)


def _with_all_answers(examples: Sequence[QueryExample]) -> list[QueryExample]:
    """Merges the answers of equal queries, which several lists can have, and removes them from the negatives."""
    answers: dict[str, set[int]] = {}
    for example in examples:
        answers.setdefault(example.query, set()).update(example.answers)
    return [
        QueryExample(
            example.query,
            example.positive,
            tuple(row for row in example.negatives if row not in answers[example.query]),
            frozenset(answers[example.query]),
        )
        for example in examples
    ]


def _with_candidates(
    examples: Sequence[QueryExample], passage_count: int, draw: random.Random
) -> tuple[list[QueryExample], list[int]]:
    """Draws the candidates of the held-out examples.

    Returns the examples, with rows that refer to the candidates, and the candidates' rows among all passages.
    """
    needed = dict.fromkeys(row for example in examples for row in (*sorted(example.answers), *example.negatives))
    others = [row for row in range(passage_count) if row not in needed]
    candidates = [*needed, *draw.sample(others, min(CANDIDATES, len(others)))]
    new_rows = {row: number for number, row in enumerate(candidates)}
    renumbered = [
        QueryExample(
            example.query,
            new_rows[example.positive],
            tuple(new_rows[row] for row in example.negatives),
            frozenset(new_rows[row] for row in example.answers),
        )
        for example in examples
    ]
    return renumbered, candidates
