"""A reranker whose answers are known beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.ranking import RankingModel
from rerank.service.components import Components
from tests.fakes import FakeModels, FakeReranker
from tests.service.fake_service import components


class FixedReranker(FakeReranker):
    """Answers the logits it was given; those from *scored* on are left out, as by a deadline."""

    def __init__(self, logits: Sequence[float], *, scored: int | None = None, name: str = "fixed") -> None:
        super().__init__(name=name)
        self._logits = np.array(logits, dtype=np.float32)
        self._scored = len(logits) if scored is None else scored

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        scored = np.arange(len(texts)) < self._scored
        logits = np.where(scored, self._logits, 0).astype(np.float32)
        tokens = np.where(scored, 5, 0).astype(np.int32)
        return RerankScores(logits, scored, tokens, np.zeros(len(texts), dtype=np.bool_))


def fixed(logits: Sequence[float], *, scored: int | None = None) -> Components:
    """A service over such a reranker, which is also called "other"."""
    rerankers = [FixedReranker(logits, scored=scored, name=name) for name in ("fake-reranker", "other")]
    return components(models=FakeModels(*map(RankingModel, rerankers)))


def short_sighted(max_tokens: int = 24) -> Components:
    """A service over a reranker that reads few tokens."""
    return components(models=FakeModels(RankingModel(FakeReranker(max_tokens=max_tokens))))
