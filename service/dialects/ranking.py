"""Texts in the order that the cross-encoder alone gives them.

There is no first stage here, so there is nothing to fall back to: a model that fails is an error.
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
    """A text in its final place: where it stood in the request, and its score as it is written."""

    index: int
    score: float


@dataclass(frozen=True)
class TextRanking:
    """All texts, best first. truncated: the places of those of which a part was not read.

    inference_ms: for scoring; waited_ms: before it, behind other requests.
    """

    results: tuple[RankedText, ...]
    truncated: tuple[int, ...]
    tokens: int
    inference_ms: float
    waited_ms: float
    report: RerankReport

    def in_request_order(self) -> list[RankedText]:
        """The same results, as their texts stood in the request."""
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
    """*texts* by falling logit, equal ones in the order they came; what the time left out follows in its own order.

    Scores are probabilities, or with *raw_scores* the logits themselves; unequal ones are still unequal when written.
    Raises ModelError when the model fails, ModelOverloaded when too much work is waiting, RequestCancelled once nobody
    waits any more, and InvalidRequest for a text that *limits* refuse.
    """
    started = time.monotonic()
    scores = score_texts(model.reranker, query, texts, limits=limits, stop=stop)
    read = np.flatnonzero(scores.scored)
    best_first = read[np.argsort(-scores.logits[read], kind="stable")]
    logits = scores.logits[best_first].astype(np.float64)
    rest = np.flatnonzero(~scores.scored)
    written = _raw(logits, len(rest)) if raw_scores else _probabilities(model.logit_calibration, logits, len(rest))
    return TextRanking(
        results=tuple(map(RankedText, [*best_first.tolist(), *rest.tolist()], written)),
        truncated=tuple(np.flatnonzero(scores.truncated).tolist()),
        tokens=int(scores.tokens.sum()),
        inference_ms=max((time.monotonic() - started) * 1000 - scores.waited_ms, 0.0),
        waited_ms=scores.waited_ms,
        report=_report(model, scores),
    )


def _probabilities(calibration: Calibration, logits: NDArray[np.float64], unscored: int) -> list[float]:
    """As they are written: of the falling *logits*, then of texts without one, below every scored one and falling."""
    if not len(logits):
        return [0.0] * unscored
    # Nothing is said to be known of the texts as a whole: a text's score must not depend on what else was sent.
    scored = probabilities(calibration.log_odds(logits, {}))
    places = np.arange(1, unscored + 1)
    rest = scored[-1] * (1 - places / (unscored + 1))
    return round_descending(np.concatenate([scored, rest]), [*logits, *(logits[-1] - places)], floor=0.0)


def _raw(logits: NDArray[np.float64], unscored: int) -> list[float]:
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
