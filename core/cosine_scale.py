"""Scale of an encoder's cosines: encoders differ in the cosines of unrelated and of matching texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.search import Candidate


@dataclass(frozen=True, slots=True)
class CosineScale:
    """Mean cosines of an encoder for unrelated and for matching questions and passages.

    `matching` must be higher than `unrelated`.
    """

    unrelated: float
    matching: float

    def to_reference(self, cosines: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns *cosines* on the scale of the reference encoder, for which fusion weights are defined."""
        slope = (REFERENCE.matching - REFERENCE.unrelated) / (self.matching - self.unrelated)
        return REFERENCE.unrelated + slope * (cosines - self.unrelated)

    def scaled(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Returns *candidates* with their cosines on the scale of the reference encoder."""
        if self == REFERENCE:
            return list(candidates)
        return [
            candidate
            if candidate.cosine is None
            else replace(candidate, cosine=float(self.to_reference(np.array([candidate.cosine]))[0]))
            for candidate in candidates
        ]


REFERENCE = CosineScale(unrelated=0.05, matching=0.55)
"""Values of minilm-l6-en-it-v2, an earlier built-in encoder, by every third pair of models/runtimes/sample.jsonl."""
