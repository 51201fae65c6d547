"""Features of one query's candidates at a fixed scale: a value never depends on the other candidates' features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rerank.core.lexical import background_idf
from rerank.core.search import Candidate

Feature = Literal["logit", "cosine", "lexical", "score_share"]
"""Features that a fusion can weight. Higher values are better."""

_Values = NDArray[np.float64]


@dataclass(frozen=True)
class FirstStageFeatures:
    """Features other than the logit by name, float64 (n,). A feature that no candidate has is absent.

    cosine: similarity of query and passage, in [-1, 1]. A candidate that the vector search did not retrieve gets the
    lowest value of the others. lexical: word overlap of query and passage, in [0, 1], see
    `BackgroundIdf.overlap`. score_share: score of the text search, or of a third-party engine, as a fraction of the
    query's best score, in [0, 1].
    """

    columns: Mapping[Feature, _Values]

    @classmethod
    def of(cls, query: str, candidates: Sequence[Candidate]) -> FirstStageFeatures:
        """Returns the features of the candidates of *query*, in their order."""
        columns: dict[Feature, _Values] = {}
        if (cosines := _with_lowest_for_missing([candidate.cosine for candidate in candidates])) is not None:
            columns["cosine"] = cosines
        texts = [candidate.passage.headed_text for candidate in candidates]
        columns["lexical"] = background_idf().overlap(query, texts)
        if (shares := _shares(candidates)) is not None:
            columns["score_share"] = shares
        return cls(columns)

    @property
    def best_cosine(self) -> float | None:
        """Highest cosine of the candidates; None without cosines."""
        cosines = self.columns.get("cosine")
        return None if cosines is None or not len(cosines) else float(cosines.max())

    def at(self, positions: NDArray[np.intp]) -> FirstStageFeatures:
        """Returns the features of the candidates at *positions*."""
        return FirstStageFeatures({name: values[positions] for name, values in self.columns.items()})


def _with_lowest_for_missing(values: Sequence[float | None]) -> _Values | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    lowest = min(known)
    return np.array([lowest if value is None else value for value in values], dtype=np.float64)


def _shares(candidates: Sequence[Candidate]) -> _Values | None:
    """Returns each score as a fraction of the best one.

    Returns None if only a vector search ran, or if the best score is not positive, as in results sorted by a field.
    """
    own_stage = any(candidate.vector_rank is not None or candidate.text_rank is not None for candidate in candidates)
    scores = np.array([(c.text_score if own_stage else c.retrieval_score) or 0.0 for c in candidates], dtype=np.float64)
    best = float(scores.max(initial=0.0))
    if best <= 0.0 or not np.isfinite(scores).all():
        return None
    return np.clip(scores / best, 0.0, 1.0)
