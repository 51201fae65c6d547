"""A reranker that reads long texts window by window, where it is only known as a Reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rerank.core.long_texts import BEST_WINDOW, ReadingLimits, score_texts
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.reranker_around import RerankerAround
from rerank.core.wait import Wait


@dataclass(frozen=True)
class WindowReranker(RerankerAround):
    """*reranker*, but of a text longer than it reads at once the best window within *limits* counts."""

    limits: ReadingLimits = BEST_WINDOW

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """As core.long_texts.score_texts."""
        wait = Wait(deadline, cancellation)
        return score_texts(self.reranker, query, texts, limits=self.limits, wait=wait)
