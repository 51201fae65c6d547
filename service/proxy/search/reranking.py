"""Execution of planned searches: fetch the window, rerank it, and return the client's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rerank.core.blank_texts import blank_texts
from rerank.core.errors import ModelError, ModelNotFound
from rerank.core.ranking import Ranking, RankingModel, RankingModels, drop_below, rerank
from rerank.core.search import Reason, RerankReport
from rerank.core.stop_condition import StopCondition
from rerank.core.text_similarity import TextSimilarity, with_cosines
from rerank.core.window_reranker import WindowReranker
from rerank.service.client_connection import Client
from rerank.service.proxy.search.backend_client import BackendClient, BackendResponse
from rerank.service.proxy.search.blank_hits import split_candidates, with_blank_last
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.circuit_breaker import CircuitBreaker, Permit
from rerank.service.proxy.search.hits import (
    candidates_of,
    filter_of_keys,
    hits_of,
    ranked_hits,
    with_remaining_hits,
)
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.planning import PassThrough
from rerank.service.proxy.search.ranking_cache import CachedRanking, RankingCache, fingerprint
from rerank.service.proxy.search.search_response import Outcome, SearchResponse, original_page, reranked_page
from rerank.service.proxy.search.skip_reason import SkipReason


@dataclass(frozen=True, slots=True)
class SearchReranker:
    """Executor of planned searches. If reranking fails, the client receives the first-stage order."""

    backend: BackendClient
    models: RankingModels
    breaker: CircuitBreaker
    ranking_cache: RankingCache
    timeout_ms: int
    similarity: Callable[[], TextSimilarity | None] = lambda: None
    """Returns the encoder's similarity, None while it is not loaded."""

    def execute(self, planned: Plan | PassThrough) -> SearchResponse:
        """Returns the response to a search. Raises ModelNotFound, StoreError, ClientDisconnected, RequestCancelled."""
        if isinstance(planned, PassThrough):
            return self._pass_through(planned.call, planned.reason)
        try:
            model = self.models.get(planned.options.model)
        except ModelNotFound:
            raise
        except ModelError:
            return self._pass_through(planned.call, Reason.MODEL_UNAVAILABLE)
        permit = self.breaker.acquire()
        if permit is None:
            return self._pass_through(planned.call, SkipReason.BREAKER_OPEN)
        with permit:
            return self._reranked(planned, model, permit)

    def rank(self, plan: Plan, model: RankingModel, response: BackendResponse) -> Ranking | None:
        """Returns the ranking of the window in *response*, or None if no hit has a text. Raises RequestCancelled."""
        hits = (hits_of(response.json or {}) or [])[: plan.window]
        texts = plan.texts.texts_of(hits)
        blank = blank_texts(texts, model.reranker.token_spans)
        if hits and blank.all():
            return None
        options, client = plan.options, plan.call.client
        stop = StopCondition.of(options.timeout_ms or self.timeout_ms, None if client is None else Client(client))
        if options.best_chunk:
            model = replace(model, reranker=WindowReranker(model.reranker))
        candidates, without_text = split_candidates(candidates_of(hits, texts), blank)
        if model.fusion.weights:
            candidates = with_cosines(plan.query_text, candidates, self.similarity(), stop=stop.with_half_the_time())
        ranking = rerank(model, plan.query_text, candidates, deadline=stop.deadline, cancellation=stop.cancellation)
        if options.min_score and ranking.report.applied:
            ranking = drop_below(ranking, options.min_score)
        return with_blank_last(ranking, without_text, drop=bool(options.min_score))

    def _reranked(self, plan: Plan, model: RankingModel, permit: Permit) -> SearchResponse:
        key = fingerprint(plan)
        cached = self.ranking_cache.get(key) if plan.start else None
        fused = plan.first_stage is not None and len(plan.first_stage.searches) > 1
        if cached is not None and not fused and plan.start + plan.size <= len(cached.order):
            page = self._cached_page(plan, cached)
            if page is not None:
                return page
        response = self.backend.fetch_window(plan)
        hits = hits_of(response.json) if response.status == 200 and response.json is not None else None
        if hits is None:
            # The window may exceed a limit that the client's own search respects.
            return self._pass_through(plan.call, SkipReason.WINDOW_REFUSED)
        if cached is not None:
            return self._page_beyond(plan, response, cached, key)
        ranking = self.rank(plan, model, response)
        if ranking is None:
            return original_page(plan, response, Outcome(SkipReason.NO_TEXT, _nothing_scored(model, len(hits))))
        fields = plan.texts.prose_names(hits[: plan.window])
        if hits:
            permit.record(succeeded=ranking.report.applied)
        outcome = Outcome(None, ranking.report, fields)
        if not ranking.report.applied:
            return original_page(plan, response, outcome)
        ranked = ranked_hits(ranking, hits, explain=plan.options.explain, fields=fields)
        order = with_remaining_hits(ranked, hits, after=plan.window)
        self.ranking_cache.put(key, CachedRanking(tuple(order), ranking.report, _total(response), fields))
        return reranked_page(plan, response, order[plan.start : plan.start + plan.size], outcome)

    def _cached_page(self, plan: Plan, cached: CachedRanking) -> SearchResponse | None:
        """Fetches the hits of a page of a cached ranking, without scoring. Returns None if the server refuses."""
        page = cached.order[plan.start : plan.start + plan.size]
        page_filter = filter_of_keys([entry.key for entry in page])
        post_filter = plan.call.body.get("post_filter")
        body = {key: value for key, value in plan.call.body.items() if key not in ("from", "size")}
        body |= {
            "post_filter": {"bool": {"filter": [post_filter, page_filter]}} if post_filter else page_filter,
            "from": 0,
            # With custom routing, two shards of an index may hold documents with the same id.
            "size": 2 * len(page),
        }
        response = self.backend.search(plan.call, plan.target, body)
        if response.status != 200 or hits_of(response.json or {}) is None:
            return None
        without_texts = replace(plan, texts=replace(plan.texts, added=(), removed=()))
        return reranked_page(
            without_texts, response, page, Outcome(None, cached.report, cached.fields), total=cached.total
        )

    def _page_beyond(self, plan: Plan, response: BackendResponse, cached: CachedRanking, key: str) -> SearchResponse:
        """Returns a page beyond the end of a cached ranking, which continues in first-stage order."""
        hits = hits_of(response.json or {}) or []
        order = with_remaining_hits(cached.order, hits, after=cached.report.candidates)
        self.ranking_cache.put(key, replace(cached, order=tuple(order)))
        return reranked_page(
            plan, response, order[plan.start : plan.start + plan.size], Outcome(None, cached.report, cached.fields)
        )

    def _pass_through(self, call: SearchCall, reason: Reason | SkipReason) -> SearchResponse:
        response = self.backend.request(call, "POST", call.target(), call.body)
        if response.status != 200 and reason is SkipReason.WINDOW_REFUSED:
            reason = SkipReason.REFUSED
        return SearchResponse(response, Outcome(reason))


def _nothing_scored(model: RankingModel, candidates: int) -> RerankReport:
    return RerankReport(applied=False, reason=None, model=model.reranker.name, candidates=candidates)


def _total(response: BackendResponse) -> Any:
    outer: Mapping[str, Any] = (response.json or {}).get("hits", {})
    return outer.get("total")
