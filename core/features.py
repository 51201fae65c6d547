"""First-stage features of one query's candidates, standardised so that they are comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rerank.core.search import Candidate

Feature = Literal["logit", "logit_rank", "first_stage", "cosine", "text_score", "vector_rank", "text_rank"]
"""Features that a fusion can weight. Higher values are better."""

RANK_CONSTANT = 60
"""Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods,
SIGIR 2009. The default of OpenSearch and Elasticsearch, too."""

_Values = NDArray[np.float64]


@dataclass(frozen=True)
class FirstStageFeatures:
    """First-stage features by name, float64 (n,), standardised over the candidates.

    A candidate without a cosine or text score ranked too low in that search: it gets the lowest value of the others,
    and a reciprocal rank of 0. A feature that no candidate has is absent. best_cosine is the highest cosine, not
    standardised, None without cosines: the similarity of the query to its nearest document.
    """

    columns: Mapping[Feature, _Values]
    best_cosine: float | None = None

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> FirstStageFeatures:
        """Returns the features of one query's candidates, in their order."""
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

    def at(self, positions: NDArray[np.intp]) -> FirstStageFeatures:
        """Returns the features of the candidates at *positions*, still standardised over all candidates."""
        return FirstStageFeatures({name: values[positions] for name, values in self.columns.items()}, self.best_cosine)


def logit_rank(logits: _Values) -> _Values:
    """Returns the standardised reciprocal rank of each logit, float64 (n,); equal logits have equal ranks."""
    distinct, group = np.unique(-logits, return_inverse=True)
    counts = np.bincount(group, minlength=len(distinct))
    first = np.cumsum(counts) - counts + 1  # rank of the first logit in each group
    return standardised(1.0 / (RANK_CONSTANT + first[group]))


def standardised(values: _Values) -> _Values:
    """Returns *values* with zero mean and unit deviation, or all zeros if they do not differ."""
    centred = values - values.mean() if len(values) else values
    deviation = centred.std() if len(values) else 0.0
    # Smaller deviations are rounding noise, which the division would amplify to unit deviation.
    negligible = 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0)))
    return centred / deviation if deviation > negligible else np.zeros_like(centred)


def _reciprocal(rank: int | None) -> float | None:
    return None if rank is None else 1.0 / (RANK_CONSTANT + rank)
