"""Two readers in a row: a quick one places all texts, the full reranker reads those that may come out on top."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelOverloaded
from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import CROSS_ENCODER_ALONE, ScoreFusion
from rerank.core.protocols import Cancellation, Reranker, RerankScores
from rerank.core.reranker_around import RerankerAround

_QUICK_SHARE = 0.5
"""Of the time there is: the quick reader must not use up what the full one needs for the contenders."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CascadeReranker(RerankerAround):
    """A Reranker: the logits of the *contenders* best texts are *reranker*'s, those of the others are estimated.

    The best ones are those of the highest *quick* logit, or in a search, where *first_stage* knows of its candidates,
    of the highest score that *fusion* makes of both. An estimate is the quick logit, brought to the mean and the spread
    that the full ones have over the contenders (linear equating: Kolen, Brennan: Test Equating, Scaling, and Linking,
    2014, chapter 2). So no text overtakes a contender merely because two readers' logits lie on different scales.
    """

    quick: Reranker
    contenders: int
    fusion: ScoreFusion = CROSS_ENCODER_ALONE
    first_stage: FirstStageFeatures | None = None

    @property
    def fingerprint(self) -> str:
        """Of both readers and the number: another cascade gives other scores."""
        made_of = f"{self.reranker.fingerprint}\0{self.quick.fingerprint}\0{self.contenders}"
        return hashlib.blake2b(made_of.encode(), digest_size=16).hexdigest()

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Score each text, first ones first where *deadline* (time.monotonic() seconds) does not allow all.

        `estimated` says which ones the full reranker has not read. What no model has read is estimated only where all
        contenders were read; else it is not scored. When the full reranker is overloaded or has no time, a fast
        one's order stands. Raises as Reranker.score does.
        """
        if len(texts) <= self.contenders:
            return self.reranker.score(query, texts, deadline=deadline, cancellation=cancellation)
        now = time.monotonic()
        soon = None if deadline is None else now + (deadline - now) * _QUICK_SHARE
        quick = self.quick.score(query, texts, deadline=soon, cancellation=cancellation)
        places = self._best(quick)
        try:
            chosen = [texts[i] for i in places.tolist()]
            exact = self.reranker.score(query, chosen, deadline=deadline, cancellation=cancellation)
        except ModelOverloaded as exc:
            if not quick.tokens.any():
                raise
            _log.warning("the fast reranker's order stands: %s", exc)
            return _estimates(quick, quick.logits)
        return _combined(quick, exact, places)

    def _best(self, quick: RerankScores) -> NDArray[np.intp]:
        """The places of the contenders, best first, equal ones as they came."""
        placed = np.flatnonzero(quick.scored)
        standing = quick.logits[placed].astype(np.float64)
        if self.first_stage is not None and len(placed):
            standing = self.fusion.fuse(quick.logits[placed], self.first_stage.at(placed)).scores
        return placed[np.argsort(-standing, kind="stable")][: self.contenders]


@dataclass(frozen=True)
class FirstStageReader(RerankerAround):
    """The quick reader of one search that reads nothing, and says so by 0 tokens.

    standing: where the first stage puts the search's candidates, float64 (n,), higher is better.
    """

    standing: NDArray[np.float64]

    def score(
        self,
        query: str,  # noqa: ARG002  # it is the standing's
        texts: Sequence[str],
        *,
        deadline: float | None = None,  # noqa: ARG002  # it takes no time
        cancellation: Cancellation | None = None,  # noqa: ARG002
    ) -> RerankScores:
        """The standing of *texts*, which are the search's candidates in their order."""
        n = len(texts)
        return RerankScores(
            logits=self.standing.astype(np.float32),
            scored=np.ones(n, dtype=np.bool_),
            tokens=np.zeros(n, dtype=np.int32),
            truncated=np.zeros(n, dtype=np.bool_),
        )


def _combined(quick: RerankScores, exact: RerankScores, places: NDArray[np.intp]) -> RerankScores:
    done = places[exact.scored]
    if not len(done):
        return _read_alone(_estimates(quick, quick.logits))
    estimates = _estimates(quick, _equated(quick.logits, onto=exact.logits[exact.scored], at=done))
    for values, exact_values in (
        (estimates.logits, exact.logits),
        (estimates.tokens, exact.tokens),
        (estimates.truncated, exact.truncated),
    ):
        values[done] = exact_values[exact.scored]
    estimated = quick.scored.copy()
    estimated[done] = False
    combined = replace(
        estimates,
        cached=exact.cached + min(quick.cached, int(estimated.sum())),
        query_truncated=exact.query_truncated,
        estimated=estimated,
        waited_ms=quick.waited_ms + exact.waited_ms,
    )
    return combined if exact.scored.all() else _read_alone(combined)


def _read_alone(scores: RerankScores) -> RerankScores:
    """*scores* without those of texts that no model has read."""
    read = scores.tokens > 0
    return replace(
        scores,
        logits=np.where(read, scores.logits, np.float32(0)),
        scored=scores.scored & read,
        estimated=None if scores.estimated is None else scores.estimated & read,
    )


def _estimates(quick: RerankScores, logits: NDArray[np.float32]) -> RerankScores:
    return replace(
        quick,
        logits=np.where(quick.scored, logits, np.float32(0)),
        tokens=quick.tokens.copy(),
        truncated=quick.truncated.copy(),
        estimated=quick.scored,
    )


def _equated(quick: NDArray[np.float32], *, onto: NDArray[np.float32], at: NDArray[np.intp]) -> NDArray[np.float32]:
    """All of *quick* (n,), with the mean and the deviation at the places *at* that *onto* (m,) has there."""
    known = quick[at]
    deviation = float(known.std())
    slope = float(onto.std()) / deviation if deviation > 0 else 1.0
    equated: NDArray[np.float32] = ((quick - known.mean()) * np.float32(slope) + onto.mean()).astype(np.float32)
    return equated
