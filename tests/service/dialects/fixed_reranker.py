"""Rerankers with given logits or a short window, and services that use them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.ranking import RankingModel
from rerank.service.components import Components
from tests.fakes import FakeModels, FakeReranker
from tests.service.fake_service import components


class FixedReranker(FakeReranker):
    """A reranker that returns given logits. Leaves texts from position *scored* on unscored, as after a timeout."""

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


def fixed_components(logits: Sequence[float], *, scored: int | None = None) -> Components:
    """Returns components whose rerankers, "fake-reranker" and "other", return *logits*."""
    rerankers = [FixedReranker(logits, scored=scored, name=name) for name in ("fake-reranker", "other")]
    return components(models=FakeModels(*map(RankingModel, rerankers)))


def short_window_components(max_tokens: int = 24) -> Components:
    """Returns components whose reranker has a window of *max_tokens*."""
    return components(models=FakeModels(RankingModel(FakeReranker(max_tokens=max_tokens))))
