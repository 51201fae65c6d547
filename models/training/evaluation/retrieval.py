"""Retrieval metrics of an encoder on held-out queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank.models.training.data.query_batches import QueryExample
from rerank.models.training.data.text_batches import TextBatches
from rerank.models.training.text_encoder import TextEncoder

METRIC = "ndcg@10"
_DEPTH = 10


class HeldOutQueries:
    """Held-out queries and the passages to rank for them."""

    def __init__(self, examples: Sequence[QueryExample], queries: TextBatches, passages: TextBatches) -> None:
        self._examples = examples
        self._queries = queries
        self._passages = passages

    def metrics(self, encoder: TextEncoder) -> dict[str, float]:
        """Returns the means over the queries of nDCG@10 and of the reciprocal rank within the first 10."""
        cosines = encoder.encode(self._queries) @ encoder.encode(self._passages).T
        gains, reciprocal_ranks = [], []
        discounts = 1.0 / np.log2(np.arange(2, 2 + _DEPTH))
        for row, example in zip(cosines, self._examples, strict=True):
            ranked = np.argsort(-row, kind="stable")[:_DEPTH].tolist()
            relevant = np.array([passage in example.answers for passage in ranked])
            ideal = float(discounts[: len(example.answers)].sum())
            gains.append(float(relevant @ discounts[: len(relevant)]) / ideal)
            reciprocal_ranks.append(1.0 / (1 + int(relevant.argmax())) if relevant.any() else 0.0)
        return {METRIC: float(np.mean(gains)), "mrr@10": float(np.mean(reciprocal_ranks))}
