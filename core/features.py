"""What is known of one query's candidates beside the cross-encoder's logit, comparable with one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rerank.core.search import Candidate

Feature = Literal["logit", "logit_rank", "first_stage", "cosine", "text_score", "vector_rank", "text_rank"]
"""What a fusion may weigh. Of all of them more is better."""

RANK_CONSTANT = 60
"""Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods,
SIGIR 2009: the constant there, and the default of OpenSearch and Elasticsearch."""

_Values = NDArray[np.float64]


@dataclass(frozen=True)
class FirstStageFeatures:
    """The first stage's part: by feature, float64 (n,), standardised over the candidates.

    A candidate without a cosine or a text score was not among that search's first ones: it counts as the lowest that
    was, and its reciprocal rank as 0. A feature that no candidate has is absent. best_cosine is the highest one, not
    standardised, None where there is none: it says how near the index comes to the query at all.
    """

    columns: Mapping[Feature, _Values]
    best_cosine: float | None = None

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> FirstStageFeatures:
        """The features of one query's candidates, in their order."""
        found: dict[Feature, _Values] = {
            "first_stage": standardised(np.array([c.retrieval_score for c in candidates], dtype=np.float64))
        }
        known: dict[Feature, list[float | None]] = {
            "cosine": [c.cosine for c in candidates],
            "text_score": [c.text_score for c in candidates],
            "vector_rank": [_reciprocal(c.vector_rank) for c in candidates],
            "text_rank": [_reciprocal(c.text_rank) for c in candidates],
        }
        for name, values in known.items():
            there = [value for value in values if value is not None]
            if there:
                missing = 0.0 if name.endswith("_rank") else min(there)
                filled = [missing if value is None else value for value in values]
                found[name] = standardised(np.array(filled, dtype=np.float64))
        return cls(found, max((c.cosine for c in candidates if c.cosine is not None), default=None))

    def at(self, places: NDArray[np.intp]) -> FirstStageFeatures:
        """The same for the candidates at *places* alone; the values stay as they are among all of them."""
        return FirstStageFeatures({name: values[places] for name, values in self.columns.items()}, self.best_cosine)


def logit_rank(logits: _Values) -> _Values:
    """float64 (n,) from logits (n,): the standardised reciprocal of each one's rank, equal for equal logits."""
    different, place = np.unique(-logits, return_inverse=True)
    counts = np.bincount(place, minlength=len(different))
    first = np.cumsum(counts) - counts + 1  # the rank of the first one of each group
    return standardised(1.0 / (RANK_CONSTANT + first[place]))


def standardised(values: _Values) -> _Values:
    """Zero mean, unit deviation; all zero where the values do not differ."""
    centred = values - values.mean() if len(values) else values
    deviation = centred.std() if len(values) else 0.0
    # Below it the differences are rounding noise, which dividing would blow up to whole deviations.
    negligible = 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0)))
    return centred / deviation if deviation > negligible else np.zeros_like(centred)


def _reciprocal(rank: int | None) -> float | None:
    return None if rank is None else 1.0 / (RANK_CONSTANT + rank)
