"""Two rerankers in a row: a fast one reads all texts, the full one only those that may come out on top."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelOverloaded
from core.protocols import Cancellation, Reranker, RerankScores

_FAST_SHARE = 0.5
"""Of the time there is: the fast one must not use up what the full one needs for the contenders."""
_log = logging.getLogger(__name__)


class CascadeReranker:
    """A Reranker: the logits of the *contenders* best texts are *full*'s, those of the others are estimated.

    An estimate is the fast reranker's logit, brought to the mean and the spread that the full one's have over the
    contenders (linear equating: Kolen, Brennan: Test Equating, Scaling, and Linking, 2014, chapter 2). So no text
    overtakes a contender merely because two models' logits lie on different scales.
    """

    def __init__(self, full: Reranker, fast: Reranker, *, contenders: int) -> None:
        self.name = full.name
        self.max_tokens = full.max_tokens
        made_of = f"{full.fingerprint}\0{fast.fingerprint}\0{contenders}"
        self.fingerprint = hashlib.blake2b(made_of.encode(), digest_size=16).hexdigest()
        self._full = full
        self._fast = fast
        self._contenders = contenders

    def text_room(self, query: str) -> int:
        """The full reranker's: its reading decides."""
        return self._full.text_room(query)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """The full reranker's."""
        return self._full.token_spans(texts)

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Score each text, first ones first where *deadline* (time.monotonic() seconds) does not allow all.

        `estimated` says which ones only the fast reranker has read: all of them when the full one is overloaded or
        has no time. Raises as Reranker.score does.
        """
        if len(texts) <= self._contenders:
            return self._full.score(query, texts, deadline=deadline, cancellation=cancellation)
        now = time.monotonic()
        soon = None if deadline is None else now + (deadline - now) * _FAST_SHARE
        quick = self._fast.score(query, texts, deadline=soon, cancellation=cancellation)
        places = self._best(quick)
        try:
            chosen = [texts[i] for i in places.tolist()]
            exact = self._full.score(query, chosen, deadline=deadline, cancellation=cancellation)
        except ModelOverloaded as exc:
            _log.warning("the fast reranker's order stands: %s", exc)
            return _estimates(quick, quick.logits)
        return _combined(quick, exact, places)

    def _best(self, quick: RerankScores) -> NDArray[np.intp]:
        """The places of the contenders, best first, equal ones as they came."""
        read = np.flatnonzero(quick.scored)
        return read[np.argsort(-quick.logits[read], kind="stable")][: self._contenders]


def _combined(quick: RerankScores, exact: RerankScores, places: NDArray[np.intp]) -> RerankScores:
    done = places[exact.scored]
    if not len(done):
        return _estimates(quick, quick.logits)
    logits = _equated(quick.logits, onto=exact.logits[exact.scored], at=done)
    estimates = _estimates(quick, logits)
    for values, exact_values in (
        (estimates.logits, exact.logits),
        (estimates.tokens, exact.tokens),
        (estimates.truncated, exact.truncated),
    ):
        values[done] = exact_values[exact.scored]
    estimated = quick.scored.copy()
    estimated[done] = False
    return RerankScores(
        logits=estimates.logits,
        scored=estimates.scored,
        tokens=estimates.tokens,
        truncated=estimates.truncated,
        cached=exact.cached + min(quick.cached, int(estimated.sum())),
        query_truncated=exact.query_truncated,
        estimated=estimated,
        waited_ms=quick.waited_ms + exact.waited_ms,
    )


def _estimates(quick: RerankScores, logits: NDArray[np.float32]) -> RerankScores:
    return RerankScores(
        logits=np.where(quick.scored, logits, np.float32(0)),
        scored=quick.scored,
        tokens=quick.tokens.copy(),
        truncated=quick.truncated.copy(),
        cached=quick.cached,
        query_truncated=quick.query_truncated,
        estimated=quick.scored,
        waited_ms=quick.waited_ms,
    )


def _equated(quick: NDArray[np.float32], *, onto: NDArray[np.float32], at: NDArray[np.intp]) -> NDArray[np.float32]:
    """All of *quick* (n,), with the mean and the deviation at the places *at* that *onto* (m,) has there."""
    known = quick[at]
    deviation = float(known.std())
    slope = float(onto.std()) / deviation if deviation > 0 else 1.0
    equated: NDArray[np.float32] = ((quick - known.mean()) * np.float32(slope) + onto.mean()).astype(np.float32)
    return equated
