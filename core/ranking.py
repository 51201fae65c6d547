"""The second stage: ranks candidates by the cross-encoder's logit fused with the first-stage features."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rerank.core.blank_texts import blank_texts
from rerank.core.calibration import UNCALIBRATED, Calibration, probabilities, query_evidence
from rerank.core.contenders import best_positions, estimated_logits
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
class RankingModel:
    """Reranker with the ranking options of its model folder.

    fusion: combines the logit with the first-stage features. calibration: turns a fused score into a probability;
    logit_calibration does the same for a logit without a first stage. min_score: the model's own threshold, in
    calibrated scores. warning: reason for a possibly poor ranking. contenders: number of top candidates to
    score; 0 scores all. fitted: True if the fusion was fitted for this reranker. with_instruction: returns the reranker
    with the instruction of a request in its prompt; None if the model takes no instructions.
    """

    reranker: Reranker
    fusion: ScoreFusion = DEFAULT_FUSION
    min_score: float | None = None
    calibration: Calibration = UNCALIBRATED
    logit_calibration: Calibration = UNCALIBRATED
    warning: str | None = None
    contenders: int = 0
    fitted: bool = False
    with_instruction: Callable[[str], Reranker] | None = None

    def instructed(self, instruction: str) -> RankingModel | None:
        """Returns this model with *instruction* in its prompt; None if it takes no instructions."""
        return None if self.with_instruction is None else replace(self, reranker=self.with_instruction(instruction))


class RankingModels(Protocol):
    """Rerankers that a request can name."""

    def get(self, name: str | None) -> RankingModel:
        """Returns the model called *name*; None and `default` return the default model.

        Raises ModelNotFound for a name that is not configured, and ModelInvalid for a model that cannot be loaded.
        """


@dataclass(frozen=True)
class Ranking:
    """Candidates in their final order, and a report of how they were ranked."""

    ranked: tuple[RankedCandidate, ...]
    report: RerankReport


@dataclass(frozen=True, slots=True)
class _Selection:
    """Candidates to score: their positions, intp (m,), in scoring order.

    first_stage: scores of all n candidates to estimate the other logits from, float64 (n,). None: score all.
    """

    positions: NDArray[np.intp]
    first_stage: NDArray[np.float64] | None = None


def first_stage_ranking(candidates: Sequence[Candidate], report: RerankReport) -> Ranking:
    """Returns the candidates in first-stage order, with the retrieval score as the score."""
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
    """Returns *candidates* (in first-stage order) ranked by the fused score of cross-encoder and first stage.

    Candidates that the deadline leaves unscored follow in first-stage order, then those without text, with score 0: a
    model gives them arbitrary logits. If the model fails, the ranking is the
    first-stage order and the report has the reason. Equal scores keep first-stage order. Raises RequestCancelled when
    *cancellation* is set.
    """
    name = model.reranker.name
    try:
        return rerank_or_fail(model, query, candidates, deadline=deadline, cancellation=cancellation)
    except ModelOverloaded:
        return first_stage_ranking(candidates, _not_applied(Reason.OVERLOADED, name, len(candidates)))
    except ModelError as exc:
        _log.error("reranker %s failed, returning first-stage order: %s", name, exc)
        return first_stage_ranking(candidates, _not_applied(Reason.ERROR, name, len(candidates)))


def rerank_or_fail(
    model: RankingModel,
    query: str,
    candidates: Sequence[Candidate],
    *,
    deadline: float | None = None,
    cancellation: Cancellation | None = None,
) -> Ranking:
    """Returns the ranking of `rerank`, but raises ModelError if the model fails, for measurements."""
    blank = blank_texts([candidate.passage.headed_text for candidate in candidates], model.reranker.token_spans)
    if not blank.any():
        return _with_text_ranked(model, query, candidates, deadline=deadline, cancellation=cancellation)
    with_text = [candidates[i] for i in np.flatnonzero(~blank).tolist()]
    ranking = _with_text_ranked(model, query, with_text, deadline=deadline, cancellation=cancellation)
    report = replace(ranking.report, candidates=len(candidates))
    if not report.applied:
        return first_stage_ranking(candidates, report)
    without_text = tuple(
        RankedCandidate(candidates[i], rank, 0.0, replace(_unscored(candidates[i]), empty_text=True))
        for rank, i in enumerate(np.flatnonzero(blank).tolist(), start=len(with_text) + 1)
    )
    return Ranking((*ranking.ranked, *without_text), report)


def _with_text_ranked(
    model: RankingModel,
    query: str,
    candidates: Sequence[Candidate],
    *,
    deadline: float | None,
    cancellation: Cancellation | None,
) -> Ranking:
    """Returns the ranking of candidates that all have text."""
    name, n = model.reranker.name, len(candidates)
    if not candidates:
        return Ranking((), RerankReport(applied=True, reason=None, model=name, candidates=0, warning=model.warning))
    features = FirstStageFeatures.of(query, candidates)
    selection = _selection(model, features, n)
    texts = [candidates[i].passage.headed_text for i in selection.positions.tolist()]
    selected = model.reranker.score(query, texts, deadline=deadline, cancellation=cancellation)
    scores = selected.at_positions(selection.positions, n)
    scored = int(scores.scored.sum())
    complete = scored == len(selection.positions)
    estimates: NDArray[np.float32] | None = None
    if complete and selection.first_stage is not None:
        estimates = estimated_logits(selection.first_stage, selection.positions, selected.logits)
    report = RerankReport(
        applied=scored > 0,
        reason=None if complete else Reason.TIMEOUT,
        model=name,
        candidates=n,
        scored=scored,
        cached=scores.cached,
        query_truncated=scores.query_truncated,
        warning=model.warning,
        estimated=0 if estimates is None else n - scored,
    )
    if not scored:
        return first_stage_ranking(candidates, report)
    return Ranking(_ordered(candidates, features, scores, estimates, model), report)


def drop_below(ranking: Ranking, min_score: float) -> Ranking:
    """Returns *ranking* without candidates below *min_score*, and reports how many were dropped.

    Candidates with text that have neither a logit nor an estimate stay: their relevance is unknown.
    """
    remaining = tuple(
        entry
        for entry in ranking.ranked
        if entry.score >= min_score or (entry.explanation.fusion is None and not entry.explanation.empty_text)
    )
    renumbered = tuple(replace(entry, rank=rank) for rank, entry in enumerate(remaining, start=1))
    return Ranking(renumbered, replace(ranking.report, dropped=len(ranking.ranked) - len(remaining)))


def _selection(model: RankingModel, features: FirstStageFeatures, n: int) -> _Selection:
    """Returns the contenders, or all n candidates without contenders or scores to select them by."""
    first_stage = model.fusion.first_stage_scores(features) if 0 < model.contenders < n else None
    if first_stage is None:
        return _Selection(np.arange(n))
    return _Selection(best_positions(first_stage, model.contenders), first_stage)


def _ordered(
    candidates: Sequence[Candidate],
    features: FirstStageFeatures,
    scores: RerankScores,
    estimates: NDArray[np.float32] | None,
    model: RankingModel,
) -> tuple[RankedCandidate, ...]:
    """Returns all candidates ranked: those with a logit or an estimate by fused score, then the others."""
    logits = scores.logits if estimates is None else np.where(scores.scored, scores.logits, estimates)
    known = np.flatnonzero(scores.scored) if estimates is None else np.arange(len(candidates))
    known_features = features.at(known)
    fused = model.fusion.fuse(logits[known], known_features)
    log_odds = model.calibration.log_odds(fused.scores, query_evidence(logits[known], known_features))
    final = probabilities(log_odds)
    ranked = []
    for rank, i in enumerate(np.argsort(-fused.scores, kind="stable").tolist(), start=1):
        position = int(known[i])
        candidate = candidates[position]
        explanation = _explained(candidate, scores, position, _fusion(fused, i, float(log_odds[i])))
        ranked.append(RankedCandidate(candidate, rank, float(final[i]), explanation))
    unscored = [candidates[int(i)] for i in np.setdiff1d(np.arange(len(candidates)), known)]
    lowest = float(final.min())
    for i, candidate in enumerate(unscored, start=1):
        # Below every scored candidate and decreasing, so that the score stays a monotone function of the order.
        score = lowest * (1 - i / (len(unscored) + 1))
        ranked.append(RankedCandidate(candidate, len(known) + i, score, _unscored(candidate)))
    return tuple(ranked)


def _fusion(fused: Fused, i: int, log_odds: float) -> FusionExplanation:
    parts = zip(fused.features, fused.values[i].tolist(), fused.weights.tolist(), strict=True)
    return FusionExplanation(float(fused.scores[i]), tuple(FusionPart(*part) for part in parts), log_odds)


def _explained(candidate: Candidate, scores: RerankScores, i: int, fusion: FusionExplanation) -> Explanation:
    if not scores.scored[i]:
        logit, *others = fusion.parts
        estimated = replace(fusion, parts=(replace(logit, feature="estimated_logit"), *others))
        return replace(_unscored(candidate), fusion=estimated, estimated_logit=logit.value)
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
