"""Queries with their passages as batches of token ids, for contrastive learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rerank.models.training.data.text_batches import TextBatches


@dataclass(frozen=True, slots=True)
class QueryExample:
    """Query with the row of its passage and the rows of hard negatives. `answers`: rows of all relevant passages."""

    query: str
    positive: int
    negatives: tuple[int, ...]
    answers: frozenset[int]


class QueryBatches:
    """Examples with tokenized queries and passages. Each passage is tokenized once."""

    def __init__(self, examples: Sequence[QueryExample], queries: TextBatches, passages: TextBatches) -> None:
        self._examples = examples
        self._queries = queries
        self._passages = passages
        self.lengths = [
            length + passages.lengths[example.positive]
            for example, length in zip(examples, queries.lengths, strict=True)
        ]

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Returns ids and masks of b queries and of their p different passages, and which passages answer a query.

        `positive` int64 (b,): column of each query's passage. `answers` bool (b, p): other passages that answer it.
        """
        examples = [self._examples[index] for index in indices]
        rows = list(dict.fromkeys(row for example in examples for row in (example.positive, *example.negatives)))
        query_ids, query_mask = self._queries.batch(indices)
        passage_ids, passage_mask = self._passages.batch(rows)
        columns = {row: column for column, row in enumerate(rows)}
        answers = [[row in example.answers and row != example.positive for row in rows] for example in examples]
        return {
            "query_ids": query_ids,
            "query_mask": query_mask,
            "passage_ids": passage_ids,
            "passage_mask": passage_mask,
            "positive": torch.tensor([columns[example.positive] for example in examples]),
            "answers": torch.tensor(answers),
        }
