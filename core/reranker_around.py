"""What a Reranker that is put around another one has of it: everything but how texts are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.protocols import Reranker


@dataclass(frozen=True)
class RerankerAround:
    """Around *reranker*, whose name, fingerprint and tokens it has; `score` is for those derived from it."""

    reranker: Reranker

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
