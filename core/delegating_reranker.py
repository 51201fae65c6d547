"""Base class for rerankers that wrap another reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.protocols import Reranker


@dataclass(frozen=True)
class DelegatingReranker:
    """Wrapper that delegates everything except `score` to *reranker*. Subclasses define `score`."""

    reranker: Reranker

    @property
    def name(self) -> str:
        """Name of the wrapped reranker."""
        return self.reranker.name

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the wrapped reranker."""
        return self.reranker.fingerprint

    @property
    def max_tokens(self) -> int:
        """Token limit of the wrapped reranker."""
        return self.reranker.max_tokens

    def max_text_tokens(self, query: str) -> int:
        """Returns the wrapped reranker's token limit for texts beside *query*."""
        return self.reranker.max_text_tokens(query)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Returns the token spans of the wrapped reranker."""
        return self.reranker.token_spans(texts)
