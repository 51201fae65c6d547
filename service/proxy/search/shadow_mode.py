"""Shadow mode, which reranks a sample of the searches in the background and measures the change of their order."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from rerank.core.errors import RerankError
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hits import HitKey, hits_of, key_of, ranked_hits
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.planning import Planner
from rerank.service.proxy.search.rerank_options import RerankOptions
from rerank.service.proxy.search.reranking import SearchReranker
from rerank.service.proxy.search.shadow_log import MAX_TEXT, TOP, ShadowLog, ShadowRecord

_log = logging.getLogger(__name__)

MAX_PENDING = 16
"""Number of searches that may run or wait. Further searches are dropped and counted."""


@dataclass(frozen=True, slots=True)
class RankingDifference:
    """Difference between two orders of the same hits.

    overlap: fraction of the first ten hits that both have in common. correlation: Spearman's rank correlation, -1 to 1.
    """

    overlap: float
    correlation: float

    @classmethod
    def between(cls, before: Sequence[HitKey], after: Sequence[HitKey]) -> RankingDifference:
        """Compares *before* with *after*, which orders some or all hits of *before*."""
        top = min(TOP, len(before))
        overlap = len(set(before[:top]) & set(after[:top])) / top if top else 1.0
        ranks = {key: rank for rank, key in enumerate(before)}
        ranks_before = np.argsort(np.argsort([ranks[key] for key in after if key in ranks]))
        if len(ranks_before) < 2:
            return cls(overlap, 1.0)
        return cls(overlap, float(np.corrcoef(ranks_before, np.arange(len(ranks_before)))[0, 1]))


class ShadowMode:
    """Background reranking of *fraction* of the searches, from 0 (off) to 1.

    *observe* receives the difference of each search, or None for one that was dropped or not reranked. *draw* returns
    a random number from 0 to 1. *log* records each search that was reranked; None records nothing.
    """

    def __init__(
        self,
        planner: Planner,
        reranker: SearchReranker,
        fraction: float,
        observe: Callable[[RankingDifference | None], None],
        *,
        log: ShadowLog | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._planner = planner
        self._reranker = reranker
        self._fraction = fraction
        self._observe = observe
        self._log = log
        self._draw = draw
        self._pending = threading.BoundedSemaphore(MAX_PENDING)
        # The executor starts its thread with the first search, after the worker's fork.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="shadow")

    @property
    def enabled(self) -> bool:
        """True if shadow mode replaces the reranking of plain searches."""
        return self._fraction > 0

    def covers(self, index: str) -> bool:
        """Returns True if shadow mode samples plain searches of *index*.

        It samples the indexes in the settings, or all indexes if the settings name none.
        """
        return self.enabled and (not self._planner.indexes or self._planner.default_options(index) is not None)

    def submit(self, call: SearchCall, default: RerankOptions | None) -> None:
        """Samples *call* and returns at once."""
        if not self.covers(call.index) or self._draw() >= self._fraction:
            return
        if not self._pending.acquire(blocking=False):
            self._observe(None)
            return
        # No client waits for the result, so the client's socket must not cancel it.
        self._executor.submit(self._run, replace(call, client=None), default or RerankOptions())

    def close(self) -> None:
        """Drops the waiting searches and waits for the one in progress."""
        self._executor.shutdown(cancel_futures=True)

    def _run(self, call: SearchCall, options: RerankOptions) -> None:
        try:
            self._observe(self._difference(call, options))
        except RerankError as exc:
            _log.warning("shadow search failed: %s", exc.message)
            self._observe(None)
        except Exception:  # noqa: BLE001
            # No code reads the exception of the future, so this log entry is the only report.
            _log.exception("shadow search failed")
            self._observe(None)
        finally:
            self._pending.release()

    def _difference(self, call: SearchCall, options: RerankOptions) -> RankingDifference | None:
        planned = self._planner.plan(call, default=options)
        if not isinstance(planned, Plan):
            return None
        model = self._reranker.models.get(None)
        plan = replace(planned, start=0, size=planned.window)
        response = self._reranker.backend.fetch_window(plan)
        hits = hits_of(response.json or {})
        if response.status != 200 or not hits:
            return None
        ranking = self._reranker.rank(plan, model, response)
        if ranking is None or not ranking.report.applied:
            return None
        before = [key_of(hit) for hit in hits[: plan.window]]
        after = [entry.key for entry in ranked_hits(ranking, hits)]
        if self._log is not None:
            pairs = zip(hits, plan.texts.texts_of(hits), strict=True)
            texts = {key_of(hit): text[:MAX_TEXT] for hit, text in pairs}
            self._log.append(
                ShadowRecord(
                    time=datetime.now(UTC).isoformat(timespec="seconds"),
                    index=call.index,
                    query=plan.query_text[:MAX_TEXT],
                    model=model.reranker.name,
                    before=tuple(before[:TOP]),
                    after=tuple(after[:TOP]),
                    texts=(texts[before[0]], texts[after[0]]),
                )
            )
        return RankingDifference.between(before, after)
