"""A reranker's batches: pairs of one query, or of several where the network reads them beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank.models.network import MultiQueryNetwork, PairNetwork
from rerank.models.scheduler_job import Answers, BatchPart
from rerank.models.throughput import Throughput


class PairBatches:
    """The BatchModel over a PairNetwork."""

    width = ()

    def __init__(self, network: PairNetwork, *, batch_tokens: int) -> None:
        self.batch_tokens = batch_tokens
        self.speed = Throughput()
        self._mixing = network if isinstance(network, MultiQueryNetwork) else None

    @property
    def mixes(self) -> bool:
        """Whether pairs of several queries may share a batch."""
        return self._mixing is not None

    def compute(self, parts: Sequence[BatchPart]) -> Sequence[Answers]:
        """float32 (texts,) for each portion."""
        queries = [part.job.query for part in parts]
        readings = [query for query in queries if query is not None]
        if len(parts) == 1 or self._mixing is None:
            return [query.logits(part.texts) for query, part in zip(readings, parts, strict=True)]
        counts = [len(part.places) for part in parts]
        logits = self._mixing.mixed(
            [query for query, count in zip(readings, counts, strict=True) for _ in range(count)],
            [text for part in parts for text in part.texts],
        )
        return np.split(logits, np.cumsum(counts)[:-1])
