"""Ranking of texts by the cross-encoder alone.

A rerank call has no first stage whose order could replace a failed model, so a model failure is an error.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.calibration import Calibration, probabilities
from rerank.core.long_texts import LengthLimits, score_texts
from rerank.core.protocols import RerankScores
from rerank.core.ranking import RankingModel
from rerank.core.search import Reason, RerankReport
from rerank.core.stop_condition import NEVER, StopCondition
from rerank.service.dialects.score_rounding import round_descending


@dataclass(frozen=True)
class RankedText:
    """A text: its position in the request, and its rounded score."""

    index: int
    score: float


@dataclass(frozen=True)
class TextRanking:
    """All texts, best first.

    truncated: positions of the texts that were scored in part. inference_ms: time for scoring. waited_ms: time in the
    queue.
    """

    results: tuple[RankedText, ...]
    truncated: tuple[int, ...]
    tokens: int
    inference_ms: float
    waited_ms: float
    report: RerankReport

    def in_request_order(self) -> list[RankedText]:
        """Returns the results in the order of the texts in the request."""
        return sorted(self.results, key=lambda result: result.index)


def rank_texts(
    model: RankingModel,
    query: str,
    texts: Sequence[str],
    *,
    limits: LengthLimits,
    raw_scores: bool = False,
    stop: StopCondition = NEVER,
) -> TextRanking:
    """Returns *texts* by descending logit; ties, and unscored texts at the end, keep their request order.

    Scores are probabilities, or logits if *raw_scores*; unequal scores stay unequal after rounding. Raises ModelError
    if the model fails, ModelOverloaded if the queue is full, RequestCancelled if the client disconnects, and
    InvalidRequest for a text that *limits* refuse.
    """
    started = time.monotonic()
    scores = score_texts(model.reranker, query, texts, limits=limits, stop=stop)
    scored = np.flatnonzero(scores.scored)
    best_first = scored[np.argsort(-scores.logits[scored], kind="stable")]
    logits = scores.logits[best_first].astype(np.float64)
    unscored = np.flatnonzero(~scores.scored)
    rounded = _logits(logits, len(unscored)) if raw_scores else _scores(model.logit_calibration, logits, len(unscored))
    return TextRanking(
        results=tuple(map(RankedText, [*best_first.tolist(), *unscored.tolist()], rounded)),
        truncated=tuple(np.flatnonzero(scores.truncated).tolist()),
        tokens=int(scores.tokens.sum()),
        inference_ms=max((time.monotonic() - started) * 1000 - scores.waited_ms, 0.0),
        waited_ms=scores.waited_ms,
        report=_report(model, scores),
    )


def _scores(calibration: Calibration, logits: NDArray[np.float64], unscored: int) -> list[float]:
    """Returns rounded probabilities: of the descending *logits*, then of *unscored* texts, below every scored one."""
    if not len(logits):
        return [0.0] * unscored
    # No query features: the score of a text must not depend on the other texts of the request.
    scored = probabilities(calibration.log_odds(logits, {}))
    positions = np.arange(1, unscored + 1)
    rest = scored[-1] * (1 - positions / (unscored + 1))
    return round_descending(np.concatenate([scored, rest]), [*logits, *(logits[-1] - positions)], floor=0.0)


def _logits(logits: NDArray[np.float64], unscored: int) -> list[float]:
    if not len(logits):
        return [0.0] * unscored
    rest = logits[-1] - np.arange(1, unscored + 1)
    return round_descending(np.concatenate([logits, rest]), [*logits, *rest])


def _report(model: RankingModel, scores: RerankScores) -> RerankReport:
    scored = int(scores.scored.sum())
    return RerankReport(
        applied=scored > 0,
        reason=None if scored == len(scores.scored) else Reason.TIMEOUT,
        model=model.reranker.name,
        candidates=len(scores.scored),
        scored=scored,
        cached=scores.cached,
        query_truncated=scores.query_truncated,
    )
