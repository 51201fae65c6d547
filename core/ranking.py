"""The second stage: candidates in the order that the cross-encoder and the first stage agree on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rerank.core.calibration import UNCALIBRATED, Calibration, probabilities, query_evidence
from rerank.core.cascade import CascadeReranker, FirstStageReader
from rerank.core.early_stop import EarlyStop, StoppingReranker
from rerank.core.errors import ModelError, ModelOverloaded
from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import DEFAULT_FUSION, Fused, ScoreFusion
from rerank.core.protocols import Cancellation, Reranker, RerankScores
from rerank.core.search import (
    Candidate,
    Explanation,
    FusionExplanation,
    FusionPart,
    RankedCandidate,
    Reason,
    RerankReport,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FastModel:
    """A reranker that chooses what another one reads, and how its answer goes with the first stage's."""

    reranker: Reranker
    fusion: ScoreFusion = DEFAULT_FUSION


@dataclass(frozen=True)
class RankingModel:
    """A cross-encoder with what is stored beside it.

    fusion: how its answer is combined with the first stage. calibration: what a fused score means; logit_calibration:
    what a logit alone does, where there is no first stage. min_score: its own cut-off, in calibrated scores.
    warning: what is known against its ranking at all. stop_probability: reading stops once the first k change with
    less than it; 0 reads all. contenders: so many of a search's candidates are read, those that stand best by the first
    stage, or where it cannot choose by *fast*; 0 reads all.
    """

    reranker: Reranker
    fusion: ScoreFusion = DEFAULT_FUSION
    min_score: float | None = None
    calibration: Calibration = UNCALIBRATED
    logit_calibration: Calibration = UNCALIBRATED
    warning: str | None = None
    stop_probability: float = 0.0
    contenders: int = 0
    fast: FastModel | None = None

    @property
    def text_reranker(self) -> Reranker:
        """What reads texts that no search has found."""
        if self.fast is None or not self.contenders:
            return self.reranker
        return CascadeReranker(self.reranker, self.fast.reranker, self.contenders)

    def contending(self, candidates: Sequence[Candidate]) -> RankingModel:
        """The same for these candidates, of which only the contenders are read whole."""
        if not self.contenders or len(candidates) <= self.contenders:
            return self
        first_stage = FirstStageFeatures.of(candidates)
        if (standing := self.fusion.standing(first_stage)) is not None:
            cascade = CascadeReranker(self.reranker, FirstStageReader(self.reranker, standing), self.contenders)
        elif self.fast is not None:
            fast = self.fast
            cascade = CascadeReranker(self.reranker, fast.reranker, self.contenders, fast.fusion, first_stage)
        else:
            return self
        return replace(self, reranker=cascade)

    def for_search(self, candidates: Sequence[Candidate], *, k: int) -> RankingModel:
        """The same, as it reads for one search, of whose final order the first *k* are wanted."""
        if not self.stop_probability:
            return self.contending(candidates)
        stop = EarlyStop(self.fusion, FirstStageFeatures.of(candidates), k, self.stop_probability)
        return replace(self, reranker=StoppingReranker(self.reranker, stop))


class RankingModels(Protocol):
    """The rerankers that requests may name."""

    def get(self, name: str | None) -> RankingModel:
        """The model of that name, None or `default`: the default one.

        Raises ModelNotFound for a name that is not configured, ModelInvalid for one that cannot be loaded.
        """


@dataclass(frozen=True)
class Ranking:
    """Candidates in their final order, and what was done to get there."""

    ranked: tuple[RankedCandidate, ...]
    report: RerankReport


def first_stage_ranking(candidates: Sequence[Candidate], report: RerankReport) -> Ranking:
    """The candidates as they came; a score is the retrieval score."""
    ranked = tuple(
        RankedCandidate(candidate, rank, candidate.retrieval_score, _unscored(candidate))
        for rank, candidate in enumerate(candidates, start=1)
    )
    return Ranking(ranked, report)


def rerank(
    model: RankingModel,
    query: str,
    candidates: Sequence[Candidate],
    *,
    deadline: float | None = None,
    cancellation: Cancellation | None = None,
) -> Ranking:
    """Order *candidates* (in first-stage order) by the fused score of cross-encoder and first stage.

    What the deadline leaves unscored follows in first-stage order. When the model fails, the first-stage order comes
    back and the report says why. Equal scores keep first-stage order. Raises RequestCancelled once *cancellation* says
    that nobody waits any more.
    """
    name = model.reranker.name
    try:
        return rerank_or_fail(model, query, candidates, deadline=deadline, cancellation=cancellation)
    except ModelOverloaded:
        return first_stage_ranking(candidates, _not_applied(Reason.OVERLOADED, name, len(candidates)))
    except ModelError as exc:
        _log.error("reranker %s failed, first-stage order is answered: %s", name, exc)
        return first_stage_ranking(candidates, _not_applied(Reason.ERROR, name, len(candidates)))


def rerank_or_fail(
    model: RankingModel,
    query: str,
    candidates: Sequence[Candidate],
    *,
    deadline: float | None = None,
    cancellation: Cancellation | None = None,
) -> Ranking:
    """As rerank, but a failing model is an error: what is measured or trained must not silently be something else.

    Raises ModelError and its kinds, as Reranker.score does.
    """
    name = model.reranker.name
    if not candidates:
        return Ranking((), RerankReport(applied=True, reason=None, model=name, candidates=0, warning=model.warning))
    texts = [candidate.passage.headed_text for candidate in candidates]
    scores = model.reranker.score(query, texts, deadline=deadline, cancellation=cancellation)
    scored = int(scores.scored.sum())
    report = RerankReport(
        applied=scored > 0,
        reason=None if scored == len(candidates) or scores.stopped else Reason.TIMEOUT,
        model=name,
        candidates=len(candidates),
        scored=scored,
        cached=scores.cached,
        query_truncated=scores.query_truncated,
        warning=model.warning,
        estimated=0 if scores.estimated is None else int(scores.estimated.sum()),
    )
    if not scored:
        return first_stage_ranking(candidates, report)
    return Ranking(_ordered(candidates, scores, model), report)


def above(ranking: Ranking, min_score: float) -> Ranking:
    """Drop what scored below *min_score* and count it. What was not scored is kept: nothing is known against it."""
    kept = tuple(entry for entry in ranking.ranked if entry.explanation.logit is None or entry.score >= min_score)
    renumbered = tuple(replace(entry, rank=rank) for rank, entry in enumerate(kept, start=1))
    return Ranking(renumbered, replace(ranking.report, dropped=len(ranking.ranked) - len(kept)))


def _ordered(candidates: Sequence[Candidate], scores: RerankScores, model: RankingModel) -> tuple[RankedCandidate, ...]:
    read = np.flatnonzero(scores.scored)
    first_stage = FirstStageFeatures.of(candidates).at(read)
    fused = model.fusion.fuse(scores.logits[read], first_stage)
    known = query_evidence(scores.logits[read], first_stage)
    log_odds = model.calibration.log_odds(fused.scores, known)
    final = probabilities(log_odds)
    order = np.argsort(-fused.scores, kind="stable")
    ranked = [
        RankedCandidate(
            candidates[int(read[i])],
            rank,
            float(final[i]),
            _explained(candidates[int(read[i])], scores, int(read[i]), _fusion(fused, i, float(log_odds[i]))),
        )
        for rank, i in enumerate(order.tolist(), start=1)
    ]
    rest = [candidates[int(i)] for i in np.flatnonzero(~scores.scored)]
    floor = float(final.min())
    for place, candidate in enumerate(rest, start=1):
        # Below every scored one and falling, so that a score stays a monotone function of the order.
        score = floor * (1 - place / (len(rest) + 1))
        ranked.append(RankedCandidate(candidate, len(read) + place, score, _unscored(candidate)))
    return tuple(ranked)


def _fusion(fused: Fused, i: int, log_odds: float) -> FusionExplanation:
    parts = zip(fused.features, fused.values[i].tolist(), fused.weights.tolist(), strict=True)
    return FusionExplanation(float(fused.scores[i]), tuple(FusionPart(*part) for part in parts), log_odds)


def _explained(candidate: Candidate, scores: RerankScores, i: int, fusion: FusionExplanation) -> Explanation:
    return Explanation(
        logit=float(scores.logits[i]),
        tokens=int(scores.tokens[i]),
        truncated=bool(scores.truncated[i]),
        vector_rank=candidate.vector_rank,
        text_rank=candidate.text_rank,
        fusion=fusion,
    )


def _unscored(candidate: Candidate) -> Explanation:
    return Explanation(None, None, None, candidate.vector_rank, candidate.text_rank, None)


def _not_applied(reason: Reason, model: str | None, candidates: int) -> RerankReport:
    return RerankReport(applied=False, reason=reason, model=model, candidates=candidates)
