"""Final order with boosts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from rerank.core.boosts import BoostExplanation, Boosts
from rerank.core.calibration import HIGHEST_LOG_ODDS, probabilities
from rerank.core.ranking import Ranking
from rerank.core.search import Candidate, RankedCandidate


def without_excluded(candidates: Sequence[Candidate], boosts: Boosts) -> list[Candidate]:
    """Returns *candidates* without the excluded ids."""
    return [candidate for candidate in candidates if candidate.doc_id not in boosts.excluded]


def boosted(ranking: Ranking, boosts: Boosts, values: Mapping[str, Sequence[object]], *, now: datetime) -> Ranking:
    """Returns *ranking* in the order of its boosted scores, pinned ids first.

    *values* has the values of `boosts.fields` by doc_id. A score is the sigmoid of its log-odds plus the terms; the
    score of a pinned hit is the highest one. Hits without a score of the model keep their place at the end, and get no
    terms. Boosts never add a candidate.
    """
    positions = {doc_id: position for position, doc_id in enumerate(boosts.pinned, start=1)}
    nothing = (None,) * len(boosts.fields)
    scored = any(entry.explanation.fusion is not None for entry in ranking.ranked)
    best = max((entry.score for entry in ranking.ranked), default=0.0)
    entries: list[tuple[tuple[float, bool, float], RankedCandidate]] = []
    for entry in ranking.ranked:
        doc_id, fusion = entry.candidate.doc_id, entry.explanation.fusion
        pinned = positions.get(doc_id)
        terms = () if fusion is None else boosts.terms(values.get(doc_id, nothing), now)
        log_odds = None if fusion is None else fusion.log_odds + sum(term.contribution for term in terms)
        score = entry.score if log_odds is None else _score(log_odds)
        if pinned is not None:
            score = _score(HIGHEST_LOG_ODDS) if scored else best
            log_odds = HIGHEST_LOG_ODDS if scored else None
        explanation = replace(entry.explanation, boosts=BoostExplanation(log_odds, terms, pinned))
        key = (math.inf if pinned is None else pinned, fusion is None, -(log_odds or 0.0))
        entries.append((key, replace(entry, score=score, explanation=explanation)))
    entries.sort(key=lambda item: item[0])
    ranked = tuple(replace(entry, rank=rank) for rank, (_, entry) in enumerate(entries, start=1))
    return replace(ranking, ranked=ranked)


def _score(log_odds: float) -> float:
    return float(probabilities(np.array([log_odds]))[0])
