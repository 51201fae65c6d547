"""Similarity of a query to texts, which can be outside an index."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelError
from rerank.core.search import Candidate
from rerank.core.stop_condition import NEVER, StopCondition

_log = logging.getLogger(__name__)


class TextSimilarity(Protocol):
    """Source of cosines of texts, such as an encoder."""

    def cosines(self, query: str, texts: Sequence[str], *, stop: StopCondition = NEVER) -> NDArray[np.float64] | None:
        """Returns the cosine of *query* with each text on the reference scale, float64 (n,), None after the deadline.

        Raises ModelError if the encoder fails, and RequestCancelled.
        """


def with_cosines(
    query: str, candidates: Sequence[Candidate], similarity: TextSimilarity | None, *, stop: StopCondition = NEVER
) -> list[Candidate]:
    """Returns *candidates* with their cosines; unchanged without *similarity*, and after a failure or the deadline.

    Raises RequestCancelled.
    """
    if similarity is None:
        return list(candidates)
    texts = [candidate.passage.headed_text for candidate in candidates]
    try:
        cosines = similarity.cosines(query, texts, stop=stop)
    except ModelError as exc:
        _log.error("encoder failed, reranking without cosines: %s", exc)
        return list(candidates)
    if cosines is None:
        return list(candidates)
    return [replace(candidate, cosine=float(cosine)) for candidate, cosine in zip(candidates, cosines, strict=True)]
