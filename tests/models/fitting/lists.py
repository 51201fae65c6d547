"""Judged candidates drawn by chance, from a world in which it is known what each score is worth."""

from __future__ import annotations

import numpy as np

from rerank.core.judging import JudgedCandidates
from rerank.core.judgments import JudgedQuery
from rerank.core.search import Candidate
from tests.core.candidates import candidate


def drawn(queries: int, *, logit: float, cosine: float, seed: int = 1, candidates: int = 20) -> list[JudgedCandidates]:
    """One relevant candidate a query; *logit* and *cosine*: by how many deviations each raises it above the others."""
    random = np.random.default_rng(seed)
    found = []
    for query in range(queries):
        relevant = np.arange(candidates) == random.integers(candidates)
        logits = random.normal(size=candidates) + logit * relevant
        cosines = 0.5 + 0.1 * (random.normal(size=candidates) + cosine * relevant)
        order = np.argsort(-cosines)
        found.append(
            JudgedCandidates(
                JudgedQuery(f"q{query}", "which text", {}),
                _candidates(cosines[order].tolist()),
                logits[order].astype(np.float32),
                relevant[order].astype(np.int64),
                np.ones(1, dtype=np.int64),
            )
        )
    return found


def _candidates(cosines: list[float]) -> list[Candidate]:
    return [candidate(rank, score=cosine, cosine=cosine) for rank, cosine in enumerate(cosines, start=1)]
