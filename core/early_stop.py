"""Stop reading when the first k cannot change any more, within a stated probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import ScoreFusion
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.reranker_around import RerankerAround

_FIRST = 32
_STEP = 16
"""Texts that are read before the question is asked, and between one time and the next."""
_DRAWS = 200
_SEED = 5


@dataclass(frozen=True)
class EarlyStop:
    """Whether a candidate that was not read would enter the first *k*, with more than *probability*.

    What an unread candidate's logit might be is drawn: a straight line from the first stage's score to the logits that
    were read, plus one of the differences from it that occurred (the residual bootstrap: Efron, Tibshirani: An
    Introduction to the Bootstrap, 1993, chapter 9). Each draw is fused like the real ones.
    """

    fusion: ScoreFusion
    first_stage: FirstStageFeatures
    k: int
    probability: float

    def decided(self, logits: NDArray[np.float32]) -> bool:
        """Whether reading may stop after the first len(logits) candidates had these logits."""
        read, n = len(logits), len(self.first_stage.columns["first_stage"])
        if read <= self.k:
            return False
        stands = self.first_stage.columns["first_stage"]
        slope, level = _line(stands[:read], logits.astype(np.float64))
        residuals = logits - (slope * stands[:read] + level)
        rng = np.random.default_rng(_SEED)
        changes = 0
        for _ in range(_DRAWS):
            drawn = slope * stands[read:] + level + rng.choice(residuals, n - read)
            scores = self.fusion.fuse(np.concatenate([logits, drawn.astype(np.float32)]), self.first_stage).scores
            first = np.argsort(-scores, kind="stable")[: self.k]
            changes += bool((first >= read).any())
            if changes > self.probability * _DRAWS:
                return False
        return True


@dataclass(frozen=True)
class StoppingReranker(RerankerAround):
    """A Reranker for the candidates of one search, which reads them in their order until the stop says enough."""

    stop: EarlyStop

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Score the first texts; `stopped` says that the others were left out because they change nothing."""
        parts: list[RerankScores] = []
        start, stop = 0, _FIRST
        while start < len(texts):
            part = self.reranker.score(query, texts[start:stop], deadline=deadline, cancellation=cancellation)
            parts.append(part)
            if not part.scored.all():
                return _joined(parts, n=len(texts))
            start, stop = stop, stop + _STEP
            if start < len(texts) and self.stop.decided(np.concatenate([part.logits for part in parts])):
                return replace(_joined(parts, n=len(texts)), stopped=True)
        return _joined(parts, n=len(texts))


def _joined(parts: Sequence[RerankScores], *, n: int) -> RerankScores:
    """The parts one after the other, and unscored texts up to *n*."""
    rest = n - sum(len(part.logits) for part in parts)
    return RerankScores(
        logits=np.concatenate([*(part.logits for part in parts), np.zeros(rest, dtype=np.float32)]),
        scored=np.concatenate([*(part.scored for part in parts), np.zeros(rest, dtype=np.bool_)]),
        tokens=np.concatenate([*(part.tokens for part in parts), np.zeros(rest, dtype=np.int32)]),
        truncated=np.concatenate([*(part.truncated for part in parts), np.zeros(rest, dtype=np.bool_)]),
        cached=sum(part.cached for part in parts),
        query_truncated=any(part.query_truncated for part in parts),
        waited_ms=sum(part.waited_ms for part in parts),
    )


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and level of the straight line nearest to the points; a flat one where x does not differ."""
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ (y - y.mean())) / spread if spread > 0 else 0.0
    return slope, float(y.mean() - slope * x.mean())
