"""A reranker's batches: pairs of one query, or of several where the network reads them beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank.models.job import Answers, Portion
from rerank.models.network import MixingNetwork, PairNetwork
from rerank.models.speed import Speed


class PairBatches:
    """The BatchModel over a PairNetwork."""

    width = ()

    def __init__(self, network: PairNetwork, *, batch_tokens: int) -> None:
        self.batch_tokens = batch_tokens
        self.speed = Speed()
        self._mixing = network if isinstance(network, MixingNetwork) else None

    @property
    def mixes(self) -> bool:
        """Whether pairs of several queries may share a batch."""
        return self._mixing is not None

    def compute(self, portions: Sequence[Portion]) -> Sequence[Answers]:
        """float32 (texts,) for each portion."""
        queries = [portion.job.query for portion in portions]
        readings = [query for query in queries if query is not None]
        if len(portions) == 1 or self._mixing is None:
            return [query.logits(portion.texts) for query, portion in zip(readings, portions, strict=True)]
        counts = [len(portion.places) for portion in portions]
        logits = self._mixing.mixed(
            [query for query, count in zip(readings, counts, strict=True) for _ in range(count)],
            [text for portion in portions for text in portion.texts],
        )
        return np.split(logits, np.cumsum(counts)[:-1])
