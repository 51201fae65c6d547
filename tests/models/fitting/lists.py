"""Random judged candidates whose scores have a known relation to relevance."""

from __future__ import annotations

import numpy as np

from rerank.core.judging import JudgedCandidates
from rerank.core.judgments import JudgedQuery
from rerank.core.search import Candidate
from tests.core.candidates import candidate


def random_judgments(
    queries: int, *, logit: float, cosine: float, seed: int = 1, candidates: int = 20
) -> list[JudgedCandidates]:
    """Returns queries with one relevant candidate each.

    logit, cosine: deviations by which the score of the relevant candidate is higher on average.
    """
    random = np.random.default_rng(seed)
    judged = []
    for query in range(queries):
        relevant = np.arange(candidates) == random.integers(candidates)
        logits = random.normal(size=candidates) + logit * relevant
        cosines = 0.5 + 0.1 * (random.normal(size=candidates) + cosine * relevant)
        order = np.argsort(-cosines)
        judged.append(
            JudgedCandidates(
                JudgedQuery(f"q{query}", "which text", {}),
                _candidates(cosines[order].tolist()),
                logits[order].astype(np.float32),
                relevant[order].astype(np.int64),
                np.ones(1, dtype=np.int64),
            )
        )
    return judged


def _candidates(cosines: list[float]) -> list[Candidate]:
    return [candidate(rank, score=cosine, cosine=cosine) for rank, cosine in enumerate(cosines, start=1)]
