"""A reranker that reads long texts window by window, where it is only known as a Reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.long_texts import BEST_WINDOW, ReadingLimits, score_texts
from core.protocols import Cancellation, Reranker, RerankScores
from core.wait import Wait


@dataclass(frozen=True)
class WindowReranker:
    """*reranker*, but of a text longer than it reads at once the best window within *limits* counts."""

    reranker: Reranker
    limits: ReadingLimits = BEST_WINDOW

    @property
    def name(self) -> str:
        """The reranker's."""
        return self.reranker.name

    @property
    def fingerprint(self) -> str:
        """The reranker's."""
        return self.reranker.fingerprint

    @property
    def max_tokens(self) -> int:
        """The reranker's."""
        return self.reranker.max_tokens

    def text_room(self, query: str) -> int:
        """The reranker's."""
        return self.reranker.text_room(query)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """The reranker's."""
        return self.reranker.token_spans(texts)

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
