"""The road of a search through the proxy: plan, fetch the window, re-rank, cut to the page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rerank.core.errors import ModelError, ModelNotFound
from rerank.core.ranking import Ranking, RankingModel, RankingModels, drop_below, rerank
from rerank.core.search import Reason, RerankReport
from rerank.core.window_reranker import WindowReranker
from rerank.service.client_connection import Client
from rerank.service.proxy.search.breaker import Breaker
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.composing import Composed, Outcome, own_page, ranked_page
from rerank.service.proxy.search.hits import candidates_of, followed_by, hits_of, placed
from rerank.service.proxy.search.kept import KeptRanking, KeptRankings, fingerprint
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.planning import PassedOn
from rerank.service.proxy.search.reasons import Unranked
from rerank.service.proxy.search.server import Fetched, Server


@dataclass(frozen=True, slots=True)
class SearchReranking:
    """Answers planned searches; what fails on our side never costs the client its answer."""

    server: Server
    models: RankingModels
    breaker: Breaker
    kept: KeptRankings
    timeout_ms: int

    def answer(self, planned: Plan | PassedOn) -> Composed:
        """The answer to a search. Raises ModelNotFound, StoreError, ClientGone and RequestCancelled."""
        if isinstance(planned, PassedOn):
            return self._passed_on(planned.call, planned.reason)
        try:
            model = self.models.get(planned.asked.model)
        except ModelNotFound:
            raise
        except ModelError:
            return self._passed_on(planned.call, Reason.MODEL_UNAVAILABLE)
        if not self.breaker.allows():
            return self._passed_on(planned.call, Unranked.BREAKER_OPEN)
        try:
            return self._ranked(planned, model)
        finally:
            # Whatever ended before the reranker was asked must not keep the next one from being tried.
            self.breaker.pass_over()

    def ranking(self, plan: Plan, model: RankingModel, fetched: Fetched) -> Ranking | None:
        """The ranking of a window; None where none of its hits has a text. Raises RequestCancelled."""
        hits = hits_of(fetched.json or {}) or []
        texts = [plan.texts.read(hit) for hit in hits[: plan.window]]
        if hits and not any(texts):
            return None
        timeout_ms = plan.asked.timeout_ms or self.timeout_ms
        deadline = time.monotonic() + timeout_ms / 1000
        client = plan.call.client
        if plan.asked.by_chunk:
            model = replace(model, reranker=WindowReranker(model.reranker))
        candidates = candidates_of(hits[: plan.window], texts)
        ranking = rerank(
            model,
            plan.query_text,
            candidates,
            deadline=deadline,
            cancellation=None if client is None else Client(client),
        )
        if plan.asked.min_score and ranking.report.applied:
            ranking = drop_below(ranking, plan.asked.min_score)
        return ranking

    def _ranked(self, plan: Plan, model: RankingModel) -> Composed:
        key = fingerprint(plan)
        kept = self.kept.get(key) if plan.start else None
        several = plan.retrieval is not None and len(plan.retrieval.searches) > 1
        if kept is not None and not several and plan.start + plan.size <= len(kept.order):
            page = self._kept_page(plan, kept)
            if page is not None:
                return page
        fetched = self.server.window(plan)
        hits = hits_of(fetched.json) if fetched.status == 200 and fetched.json is not None else None
        if hits is None:
            # Perhaps only the window was too much: the client's own search decides.
            return self._passed_on(plan.call, Unranked.WINDOW_REFUSED)
        if kept is not None:
            return self._beyond(plan, fetched, kept, key)
        ranking = self.ranking(plan, model, fetched)
        if ranking is None:
            return own_page(plan, fetched, Outcome(Unranked.NO_TEXT, _nothing_scored(model, len(hits))))
        if hits:
            self.breaker.record(succeeded=ranking.report.applied)
        if not ranking.report.applied:
            return own_page(plan, fetched, Outcome(None, ranking.report))
        order = followed_by(placed(ranking, hits, explain=plan.asked.explain), hits, after=plan.window)
        self.kept.put(key, KeptRanking(tuple(order), ranking.report, _total(fetched)))
        return ranked_page(plan, fetched, order[plan.start : plan.start + plan.size], Outcome(None, ranking.report))

    def _kept_page(self, plan: Plan, kept: KeptRanking) -> Composed | None:
        """A page of a ranking that the client has begun to read: its hits are fetched, and nothing is read again."""
        page = kept.order[plan.start : plan.start + plan.size]
        wanted = {"ids": {"values": [entry.key[1] for entry in page]}}
        own = plan.call.body.get("post_filter")
        body = {key: value for key, value in plan.call.body.items() if key not in ("from", "size")}
        body |= {
            "post_filter": {"bool": {"filter": [own, wanted]}} if own else wanted,
            "from": 0,
            "size": 2 * len(page),
        }
        fetched = self.server.search(plan.call, plan.target, body)
        if fetched.status != 200 or hits_of(fetched.json or {}) is None:
            return None
        plain = replace(plan, texts=replace(plan.texts, added=(), removed=()))
        return ranked_page(plain, fetched, page, Outcome(None, kept.report), total=kept.total)

    def _beyond(self, plan: Plan, fetched: Fetched, kept: KeptRanking, key: str) -> Composed:
        """A page that goes beyond a ranking's end: the server's order follows."""
        hits = hits_of(fetched.json or {}) or []
        order = followed_by(kept.order, hits, after=kept.report.candidates)
        self.kept.put(key, replace(kept, order=tuple(order)))
        return ranked_page(plan, fetched, order[plan.start : plan.start + plan.size], Outcome(None, kept.report))

    def _passed_on(self, call: SearchCall, reason: Reason | Unranked) -> Composed:
        fetched = self.server.ask(call, "POST", call.target(), call.body)
        if fetched.status != 200 and reason is Unranked.WINDOW_REFUSED:
            reason = Unranked.REFUSED
        return Composed(fetched, Outcome(reason))


def _nothing_scored(model: RankingModel, candidates: int) -> RerankReport:
    return RerankReport(applied=False, reason=None, model=model.reranker.name, candidates=candidates)


def _total(fetched: Fetched) -> Any:
    outer: Mapping[str, Any] = (fetched.json or {}).get("hits", {})
    return outer.get("total")
