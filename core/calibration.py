"""Score calibration: turns a ranking score into a probability of relevance that is comparable across queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import sigmoid

Evidence = Literal["best_logit", "best_cosine"]
"""Evidence about all candidates of a query: their highest logit or their highest cosine."""

HIGHEST_LOG_ODDS = 30.0
"""Limit of log-odds. Beyond it, floats cannot distinguish the probabilities, which differ from 0 or 1 by 1e-13."""


@dataclass(frozen=True, slots=True)
class QueryEvidence:
    """Parameters of one kind of evidence: its weight, and the `typical` value, which leaves the log-odds unchanged."""

    weight: float
    typical: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Map from scores to log-odds of relevance: slope x score + intercept + sum(weight x (evidence - typical)).

    Platt scaling (Probabilistic outputs for support vector machines, 1999), extended by evidence about the query.
    Without evidence, the best candidate of every query would look relevant, because a fused score is relative to the
    other candidates. The evidence is the same for all candidates of a query and the slope is positive, so the order
    never changes. Evidence that a search lacks adds nothing.
    """

    slope: float = 1.0
    intercept: float = 0.0
    evidence: Mapping[Evidence, QueryEvidence] = field(default_factory=dict)

    def log_odds(self, scores: NDArray[np.float64], evidence: Mapping[Evidence, float | None]) -> NDArray[np.float64]:
        """Returns the log-odds, float64 (n,), of one query's scores (n,) with its *evidence*."""
        offset = self.intercept
        for name, parameters in self.evidence.items():
            value = evidence.get(name)
            if value is not None:
                offset += parameters.weight * (value - parameters.typical)
        return self.slope * scores + offset


UNCALIBRATED = Calibration()
"""Calibration without fitted parameters: the probability is the sigmoid of the score."""


def probabilities(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the probabilities of *log_odds* (n,), float64 (n,), between 0 and 1 exclusive."""
    return sigmoid(np.clip(log_odds, -HIGHEST_LOG_ODDS, HIGHEST_LOG_ODDS))


def query_evidence(logits: NDArray[np.floating], first_stage: FirstStageFeatures) -> dict[Evidence, float | None]:
    """Returns the evidence from the *logits* of at least one candidate and their first-stage features."""
    return {"best_logit": float(logits.max()), "best_cosine": first_stage.best_cosine}
