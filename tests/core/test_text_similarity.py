"""Rules for adding cosines to candidates that no vector search returned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelError
from rerank.core.stop_condition import NEVER, StopCondition
from rerank.core.text_similarity import with_cosines
from tests.core.candidates import by_score


class FixedSimilarity:
    """TextSimilarity that returns *cosines*, or raises *error*."""

    def __init__(self, cosines: Sequence[float] | None, *, error: ModelError | None = None) -> None:
        self._cosines = cosines
        self._error = error

    def cosines(self, query: str, texts: Sequence[str], *, stop: StopCondition = NEVER) -> NDArray[np.float64] | None:
        if self._error is not None:
            raise self._error
        return None if self._cosines is None else np.array(self._cosines)


def test_candidates_get_their_cosines() -> None:
    """The cosines are in the order of the candidates, and nothing else changes."""
    result = with_cosines("q", by_score([3.0, 2.0]), FixedSimilarity([0.25, 0.75]))
    assert [candidate.cosine for candidate in result] == [0.25, 0.75]
    assert [candidate.retrieval_score for candidate in result] == [3.0, 2.0]


def test_missing_late_or_failing_encoder_leaves_candidates_unchanged() -> None:
    """Reranking continues without cosines."""
    candidates = by_score([3.0, 2.0])
    for similarity in (None, FixedSimilarity(None), FixedSimilarity(None, error=ModelError("broken"))):
        assert with_cosines("q", candidates, similarity) == candidates
