"""Shadow mode: a share of the searches is re-ranked beside its answer, to see what re-ranking would change."""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rerank.core.errors import RerankError
from rerank.service.proxy.search.asked import Asked
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hits import HitKey, hits_of, key_of, placed
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.planning import Planner
from rerank.service.proxy.search.reranking import SearchReranking

_log = logging.getLogger(__name__)

WAITING = 16
"""Searches that may wait; a busy machine drops the others, and counts them."""

TOP = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two orders of the same hits lie apart.

    overlap: the share of the first ten that both have. correlation: Spearman's, of the ranks, -1 to 1.
    """

    overlap: float
    correlation: float

    @classmethod
    def between(cls, before: Sequence[HitKey], after: Sequence[HitKey]) -> Difference:
        """Of *after*, an order of some or all of *before*."""
        top = min(TOP, len(before))
        overlap = len(set(before[:top]) & set(after[:top])) / top if top else 1.0
        ranks = {key: rank for rank, key in enumerate(before)}
        moved = np.argsort(np.argsort([ranks[key] for key in after if key in ranks]))
        if len(moved) < 2:
            return cls(overlap, 1.0)
        return cls(overlap, float(np.corrcoef(moved, np.arange(len(moved)))[0, 1]))


@dataclass(slots=True)
class Shadow:
    """*share* of the searches that could be re-ranked, from 0 (off) to 1; *observe* is told each difference, or None
    for a search that was dropped or came to nothing."""

    planner: Planner
    reranking: SearchReranking
    share: float
    observe: Callable[[Difference | None], None]
    draw: Callable[[], float] = random.random
    _waiting: queue.Queue[tuple[SearchCall, Asked]] = field(default_factory=lambda: queue.Queue(WAITING))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _worker: threading.Thread | None = None

    @property
    def instead(self) -> bool:
        """Whether searches of the indexes of the settings are only watched, and not re-ranked."""
        return self.share > 0

    def watches(self, index: str) -> bool:
        """Whether plain searches of *index* are looked at: those of the settings, or all where they name none."""
        return self.instead and (not self.planner.indexes or self.planner.by_default(index) is not None)

    def cast(self, call: SearchCall, default: Asked | None) -> None:
        """Re-rank *call* later, if it is drawn; returns at once."""
        if not self.watches(call.index) or self.draw() >= self.share:
            return
        # Nobody waits for it: the client's socket says nothing of whether to go on.
        later = replace(call, client=None), default or Asked()
        try:
            self._waiting.put_nowait(later)
        except queue.Full:
            self.observe(None)
            return
        with self._lock:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="shadow", daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while True:
            call, asked = self._waiting.get()
            try:
                self.observe(self._difference(call, asked))
            except RerankError as exc:
                _log.warning("a search could not be re-ranked in the shadow: %s", exc.message)
                self.observe(None)
            except Exception:  # noqa: BLE001
                # Nothing that happens here may end the watching.
                _log.exception("re-ranking in the shadow failed")
                self.observe(None)

    def _difference(self, call: SearchCall, asked: Asked) -> Difference | None:
        planned = self.planner.plan(call, unasked=asked)
        if not isinstance(planned, Plan):
            return None
        model = self.reranking.models.get(None)
        whole = replace(planned, start=0, size=planned.window)
        fetched = self.reranking.server.window(whole)
        hits = hits_of(fetched.json or {})
        if fetched.status != 200 or not hits:
            return None
        ranking = self.reranking.ranking(whole, model, fetched)
        if ranking is None or not ranking.report.applied:
            return None
        before = [key_of(hit) for hit in hits[: whole.window]]
        return Difference.between(before, [entry.key for entry in placed(ranking, hits)])
