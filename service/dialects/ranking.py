"""Ranking of texts by the cross-encoder, fused with the encoder's cosine and the word overlap of query and text.

A rerank call has no first stage whose order could replace a failed model, so a model failure is an error.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.blank_texts import blank_texts
from rerank.core.calibration import Calibration, probabilities
from rerank.core.contenders import best_positions, estimated_logits
from rerank.core.features import Feature, FirstStageFeatures
from rerank.core.lexical import background_idf
from rerank.core.long_texts import LengthLimits, score_texts, split_texts
from rerank.core.protocols import RerankScores
from rerank.core.ranking import RankingModel
from rerank.core.search import Reason, RerankReport
from rerank.core.stop_condition import NEVER, StopCondition
from rerank.core.text_similarity import TextSimilarity
from rerank.service.dialects.score_rounding import round_descending


@dataclass(frozen=True)
class RankedText:
    """A text: its position in the request, and its rounded score."""

    index: int
    score: float


@dataclass(frozen=True)
class TextRanking:
    """All texts, best first.

    truncated: positions of the texts that were scored in part. blank: positions of the texts without content, which
    rank last. inference_ms: time for scoring. waited_ms: time in the queue.
    """

    results: tuple[RankedText, ...]
    truncated: tuple[int, ...]
    tokens: int
    inference_ms: float
    waited_ms: float
    report: RerankReport
    blank: tuple[int, ...] = ()

    def in_request_order(self, best: int | None = None) -> list[RankedText]:
        """Returns the *best* results (None: all) in the order of the texts in the request."""
        return sorted(self.results[:best], key=lambda result: result.index)


def rank_texts(
    model: RankingModel,
    query: str,
    texts: Sequence[str],
    *,
    limits: LengthLimits,
    similarity: TextSimilarity | None = None,
    raw_scores: bool = False,
    stop: StopCondition = NEVER,
) -> TextRanking:
    """Returns *texts* by descending fused score; ties keep their request order.

    Unscored texts follow in request order, then texts without content.

    Scores are probabilities, or with *raw_scores* the logits, which then decide the order; unequal scores stay unequal
    after rounding. Without *similarity*, or if its vectors exceed half of the time budget, the logits alone decide.
    Raises ModelError if the model fails, ModelOverloaded if the queue is full, RequestCancelled if the client
    disconnects, and InvalidRequest for a text that *limits* refuse.
    """
    started = time.monotonic()
    features = None
    if similarity is not None and not raw_scores and model.fusion.weights:
        features = _features(model, query, texts, limits, similarity, stop)
    scores, estimates = _scored(model, query, texts, features, limits=limits, stop=stop)
    logits = scores.logits if estimates is None else np.where(scores.scored, scores.logits, estimates)
    values, calibration = logits.astype(np.float64), model.logit_calibration
    if features is not None:
        values, calibration = model.fusion.fuse(logits, features).scores, model.calibration
    blank = blank_texts(texts, model.reranker.token_spans)
    has_logit = (scores.scored if estimates is None else np.ones(len(texts), dtype=np.bool_)) & ~blank
    with_logit = np.flatnonzero(has_logit)
    best_first = with_logit[np.argsort(-values[with_logit], kind="stable")]
    unscored = np.flatnonzero(~has_logit & ~blank)
    last = np.flatnonzero(blank)
    ranked, steps = values[best_first], _steps_below(len(unscored), len(last))
    rounded = _logits(ranked, steps) if raw_scores else _scores(calibration, ranked, steps)
    return TextRanking(
        results=tuple(map(RankedText, [*best_first.tolist(), *unscored.tolist(), *last.tolist()], rounded)),
        blank=tuple(last.tolist()),
        truncated=tuple(np.flatnonzero(scores.truncated).tolist()),
        tokens=int(scores.tokens.sum()),
        inference_ms=max((time.monotonic() - started) * 1000 - scores.waited_ms, 0.0),
        waited_ms=scores.waited_ms,
        report=_report(model, scores, estimated=0 if estimates is None else len(texts) - int(scores.scored.sum())),
    )


def _features(
    model: RankingModel,
    query: str,
    texts: Sequence[str],
    limits: LengthLimits,
    similarity: TextSimilarity,
    stop: StopCondition,
) -> FirstStageFeatures | None:
    """Returns each text's features, each from its best window; None if the vectors exceed half of the time budget."""
    windows, _ = split_texts(model.reranker, query, texts, limits)
    owners = np.repeat(np.arange(len(texts)), [len(parts) for parts in windows])
    flat = [window for parts in windows for window in parts]
    cosines = similarity.cosines(query, flat, stop=stop.with_half_the_time())
    if cosines is None:
        return None
    columns: dict[Feature, NDArray[np.float64]] = {"cosine": cosines, "lexical": background_idf().overlap(query, flat)}
    for name, values in columns.items():
        best = np.full(len(texts), -np.inf)
        np.maximum.at(best, owners, values)
        columns[name] = best
    return FirstStageFeatures(columns)


def _scored(
    model: RankingModel,
    query: str,
    texts: Sequence[str],
    features: FirstStageFeatures | None,
    *,
    limits: LengthLimits,
    stop: StopCondition,
) -> tuple[RerankScores, NDArray[np.float32] | None]:
    """Returns the scores, and estimated logits if only the contenders are scored. Contenders need a fitted fusion."""
    first_stage = None if features is None else model.fusion.first_stage_scores(features)
    if first_stage is None or not model.fitted or not 0 < model.contenders < len(texts):
        return score_texts(model.reranker, query, texts, limits=limits, stop=stop), None
    positions = best_positions(first_stage, model.contenders)
    contender_scores = score_texts(
        model.reranker, query, [texts[i] for i in positions.tolist()], limits=limits, stop=stop
    )
    scores = contender_scores.at_positions(positions, len(texts))
    if not contender_scores.scored.all():
        return scores, None
    return scores, estimated_logits(first_stage, positions, contender_scores.logits)


def _steps_below(unscored: int, blank: int) -> NDArray[np.float64]:
    """Returns how far each text without a logit ranks below the last logit: distinct steps, then one for all blanks."""
    return np.concatenate([np.arange(1.0, unscored + 1), np.full(blank, unscored + 1.0)])


def _scores(calibration: Calibration, logits: NDArray[np.float64], steps: NDArray[np.float64]) -> list[float]:
    """Returns rounded probabilities: of the descending *logits*, then of the texts at *steps* below them."""
    if not len(logits):
        return [0.0] * len(steps)
    # No query features: the score of a text must not depend on the other texts of the request.
    scored = probabilities(calibration.log_odds(logits, {}))
    rest = scored[-1] * (1 - steps / (steps.max(initial=0.0) + 1))
    return round_descending(np.concatenate([scored, rest]), [*logits, *(logits[-1] - steps)], floor=0.0)


def _logits(logits: NDArray[np.float64], steps: NDArray[np.float64]) -> list[float]:
    if not len(logits):
        return [0.0] * len(steps)
    rest = logits[-1] - steps
    return round_descending(np.concatenate([logits, rest]), [*logits, *rest])


def _report(model: RankingModel, scores: RerankScores, *, estimated: int) -> RerankReport:
    scored = int(scores.scored.sum())
    return RerankReport(
        applied=scored > 0,
        reason=None if scored + estimated == len(scores.scored) else Reason.TIMEOUT,
        model=model.reranker.name,
        candidates=len(scores.scored),
        scored=scored,
        cached=scores.cached,
        query_truncated=scores.query_truncated,
        estimated=estimated,
    )
