"""From a score that orders to a probability of relevance that means the same for every query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import sigmoid

Evidence = Literal["best_logit", "best_cosine"]
"""What is known of a query's candidates as a whole: the highest logit, and the highest cosine, among them."""

HIGHEST_LOG_ODDS = 30.0
"""Beyond it, probabilities of 1e-13 from 0 or 1 are no statement any more, and floats can no longer tell them apart."""


@dataclass(frozen=True, slots=True)
class QueryEvidence:
    """One thing known of a query's candidates as a whole: its weight, and the value that says nothing either way."""

    weight: float
    typical: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds of relevance = slope x score + intercept + sum(weight x (evidence - typical)).

    Platt's scaling (Probabilistic outputs for support vector machines, 1999), with what is known of the query as a
    whole beside it: a fused score is made of values that are relative to the query's own candidates, and so the best
    of them would look good whatever was asked. The evidence is the same for all candidates of a query, and the slope
    is above 0, so that the order never changes. Evidence that a search does not have adds nothing.
    """

    slope: float = 1.0
    intercept: float = 0.0
    evidence: Mapping[Evidence, QueryEvidence] = field(default_factory=dict)

    def log_odds(self, scores: NDArray[np.float64], known: Mapping[Evidence, float | None]) -> NDArray[np.float64]:
        """float64 (n,) from the scores (n,) of one query's candidates and what is *known* of the query."""
        offset = self.intercept
        for name, evidence in self.evidence.items():
            value = known.get(name)
            if value is not None:
                offset += evidence.weight * (value - evidence.typical)
        return self.slope * scores + offset


UNCALIBRATED = Calibration()
"""The sigmoid of the score: what a logit means by itself, where nothing was fitted."""


def probabilities(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 (n,), above 0 and below 1, rising with the *log_odds* (n,)."""
    return sigmoid(np.clip(log_odds, -HIGHEST_LOG_ODDS, HIGHEST_LOG_ODDS))


def query_evidence(logits: NDArray[np.floating], first_stage: FirstStageFeatures) -> dict[Evidence, float | None]:
    """What is known of a query as a whole, from the *logits* of its candidates, at least one, and their features."""
    return {"best_logit": float(logits.max()), "best_cosine": first_stage.best_cosine}
