"""Reranker that scores long texts window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rerank.core.delegating_reranker import DelegatingReranker
from rerank.core.long_texts import BEST_WINDOW, LengthLimits, score_texts
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.stop_condition import StopCondition


@dataclass(frozen=True)
class WindowReranker(DelegatingReranker):
    """Wrapper that scores a text above the model's length by its best window within *limits*."""

    limits: LengthLimits = BEST_WINDOW

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Returns the scores of `core.long_texts.score_texts` for *texts*."""
        stop = StopCondition(deadline, cancellation)
        return score_texts(self.reranker, query, texts, limits=self.limits, stop=stop)
