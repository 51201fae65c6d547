"""Orders of one query's candidates that an evaluation compares, all from one ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rerank.core.ranking import Ranking
from rerank.core.search import Explanation


@dataclass(frozen=True, slots=True)
class ScoredDocument:
    """Document of a run. A list of them is in rank order; the scores do not determine the order."""

    doc_id: str
    score: float


Order = Callable[[Ranking], list[ScoredDocument]]
"""Function that returns the candidates of a ranking in one order, best first."""


def first_stage(ranking: Ranking) -> list[ScoredDocument]:
    """Returns the candidates in first-stage order, with the retrieval score."""
    candidates = sorted((entry.candidate for entry in ranking.ranked), key=lambda candidate: candidate.rank)
    return [ScoredDocument(candidate.doc_id, candidate.retrieval_score) for candidate in candidates]


def cross_encoder(ranking: Ranking) -> list[ScoredDocument]:
    """Returns the candidates by logit, or its estimate, alone; equal logits keep first-stage order."""
    scored = [(-_logit(entry.explanation), entry.candidate.rank, entry.candidate) for entry in ranking.ranked]
    scored.sort(key=lambda item: item[:2])
    return [ScoredDocument(candidate.doc_id, -negated) for negated, _, candidate in scored]


def reranked(ranking: Ranking) -> list[ScoredDocument]:
    """Returns the final order of searches, with the fused score before calibration."""
    return [
        ScoredDocument(
            entry.candidate.doc_id,
            entry.score if entry.explanation.fusion is None else entry.explanation.fusion.fused,
        )
        for entry in ranking.ranked
    ]


ORDERS: Mapping[str, Order] = {"first_stage": first_stage, "cross_encoder": cross_encoder, "reranked": reranked}


def _logit(explanation: Explanation) -> float:
    logit = explanation.estimated_logit if explanation.logit is None else explanation.logit
    if logit is None:
        raise ValueError("the order by logit requires a logit or an estimate for every candidate")
    return logit
