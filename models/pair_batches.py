"""Batches of a reranker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank.models.network import MultiQueryNetwork, PairNetwork
from rerank.models.scheduler_job import BatchPart, Outputs
from rerank.models.throughput import Throughput


class PairBatches:
    """BatchModel over a PairNetwork."""

    output_shape = ()

    def __init__(self, network: PairNetwork, *, batch_tokens: int) -> None:
        self.batch_tokens = batch_tokens
        self.throughput = Throughput()
        self._multi_query = network if isinstance(network, MultiQueryNetwork) else None

    @property
    def mixes_requests(self) -> bool:
        """True if pairs of several queries can share a batch."""
        return self._multi_query is not None

    def compute(self, parts: Sequence[BatchPart]) -> Sequence[Outputs]:
        """Returns float32 (texts,) for each part."""
        queries = [part.job.query for part in parts]
        prepared = [query for query in queries if query is not None]
        if len(parts) == 1 or self._multi_query is None:
            return [query.logits(part.texts) for query, part in zip(prepared, parts, strict=True)]
        counts = [len(part.positions) for part in parts]
        logits = self._multi_query.pair_logits(
            [query for query, count in zip(prepared, counts, strict=True) for _ in range(count)],
            [text for part in parts for text in part.texts],
        )
        return np.split(logits, np.cumsum(counts)[:-1])
