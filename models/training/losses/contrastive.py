"""Learning from queries with their passages: each query's passage against those of the other queries in the batch.

Henderson et al.: Efficient Natural Language Response Suggestion for Smart Reply, 2017. Encoded in parts and computed
again on the way back, a batch of any size fits the memory: Gao et al., Scaling Deep Contrastive Learning Batch Size
under Memory Limited Setup, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from rerank.models.training.data.text_batches import TextBatches
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.text_encoder import TextEncoder

METRIC = "ndcg@10"
_SCALE = 20.0
_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class QueryExample:
    """A query, the row of its passage, and the rows of others that do not answer it; `answers`: all that do."""

    query: str
    positive: int
    negatives: tuple[int, ...]
    answers: frozenset[int]


class QueryBatches:
    """Questions as tokens; passages are read once, however many queries they answer."""

    def __init__(self, questions: Sequence[QueryExample], queries: TextBatches, passages: TextBatches) -> None:
        self._questions = questions
        self._queries = queries
        self._passages = passages
        self.lengths = [
            length + passages.lengths[one.positive] for one, length in zip(questions, queries.lengths, strict=True)
        ]

    def batch(self, places: Sequence[int]) -> dict[str, Tensor]:
        """Ids and masks of b queries and of the p different passages of theirs; `positive` int64 (b,), the place of
        each query's passage among these; `answers` bool (b, p), what answers the query beside it."""
        asked = [self._questions[place] for place in places]
        rows = list(dict.fromkeys(row for one in asked for row in (one.positive, *one.negatives)))
        query_ids, query_mask = self._queries.batch(places)
        passage_ids, passage_mask = self._passages.batch(rows)
        columns = {row: column for column, row in enumerate(rows)}
        answers = [[row in one.answers and row != one.positive for row in rows] for one in asked]
        return {
            "query_ids": query_ids,
            "query_mask": query_mask,
            "passage_ids": passage_ids,
            "passage_mask": passage_mask,
            "positive": torch.tensor([columns[one.positive] for one in asked]),
            "answers": torch.tensor(answers),
        }


class ContrastiveModule(TrainableModule):
    """An encoder that learns which of a batch's passages answers each query."""

    def __init__(self, encoder: TextEncoder, *, teacher_weight: float, mini_batch: int) -> None:
        super().__init__()
        self.encoder = encoder
        # In a tuple, so that what does not learn is neither saved with the checkpoints nor given to the optimiser.
        self._teacher: tuple[TextEncoder, ...] = (
            (deepcopy(encoder).eval().requires_grad_(False),) if teacher_weight else ()
        )
        self._teacher_weight = teacher_weight
        self._mini_batch = mini_batch

    def forward(self, **batch: Tensor) -> Tensor:
        """(1 - w) x cross-entropy, of queries over passages and of passages over queries, + w x Kullback-Leibler
        divergence from how the base orders the batch's passages."""
        queries = self._vectors(batch["query_ids"], batch["query_mask"])
        passages = self._vectors(batch["passage_ids"], batch["passage_mask"])
        scores = (queries @ passages.T * _SCALE).masked_fill(batch["answers"], -torch.inf)  # (b, p)
        positive = batch["positive"]
        own = torch.arange(len(positive), device=positive.device)
        # Of two queries with one passage neither is wrong for it.
        shared = (positive[:, None] == positive[None, :]) & ~torch.eye(len(own), dtype=torch.bool, device=own.device)
        backwards = scores[:, positive].T.masked_fill(shared, -torch.inf)  # (b passages, b queries)
        labelled = (cross_entropy(scores, positive) + cross_entropy(backwards, own)) / 2
        for teacher in self._teacher:
            divergence = self._divergence(teacher.to(scores.device), batch, scores)
            labelled = (1 - self._teacher_weight) * labelled + self._teacher_weight * divergence
        return labelled

    def _divergence(self, teacher: TextEncoder, batch: dict[str, Tensor], scores: Tensor) -> Tensor:
        with torch.no_grad():
            queries = teacher(batch["query_ids"], batch["query_mask"])
            passages = teacher(batch["passage_ids"], batch["passage_mask"])
            expected = (queries @ passages.T * _SCALE).masked_fill(batch["answers"], -torch.inf).log_softmax(-1)
        differences = (expected - scores.log_softmax(-1)).masked_fill(batch["answers"], 0.0)
        divergence: Tensor = (expected.exp() * differences).sum(-1).mean()
        return divergence

    def _vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        size = self._mini_batch
        if not size or len(ids) <= size:
            vectors: Tensor = self.encoder(ids, mask)
            return vectors
        parts = zip(torch.split(ids, size), torch.split(mask, size), strict=True)
        return torch.cat([checkpoint(self.encoder, *part, use_reentrant=False) for part in parts])


class HeldOutQueries:
    """Questions that are measured on, among more passages than a batch holds."""

    def __init__(self, questions: Sequence[QueryExample], queries: TextBatches, passages: TextBatches) -> None:
        self._questions = questions
        self._queries = queries
        self._passages = passages

    def scores(self, encoder: TextEncoder) -> dict[str, float]:
        """The means over the queries of nDCG@10 and of the reciprocal rank of the first answer, 0 below rank 10."""
        cosines = encoder.vectors(self._queries) @ encoder.vectors(self._passages).T
        gains, ranks = [], []
        discounts = 1.0 / np.log2(np.arange(2, 2 + _CANDIDATES))
        for row, one in zip(cosines, self._questions, strict=True):
            best = np.argsort(-row, kind="stable")[:_CANDIDATES].tolist()
            right = np.array([place in one.answers for place in best])
            gains.append(float(right @ discounts[: len(right)]) / float(discounts[: len(one.answers)].sum()))
            ranks.append(1.0 / (1 + int(right.argmax())) if right.any() else 0.0)
        return {METRIC: float(np.mean(gains)), "mrr@10": float(np.mean(ranks))}
