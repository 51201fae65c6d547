"""Prometheus metrics of searches through the proxy."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rerank.service.proxy.search.circuit_breaker import BreakerState
from rerank.service.proxy.search.search_response import Outcome
from rerank.service.proxy.search.shadow_mode import RankingDifference

_OVERLAPS = tuple(i / 10 for i in range(11))
_CORRELATIONS = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
_BREAKER_VALUES = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}


class SearchMetrics:
    """Metrics in *registry*. *breaker_state* is called at each observation."""

    def __init__(self, registry: CollectorRegistry, breaker_state: Callable[[], BreakerState]) -> None:
        self._searches = Counter(
            "rerank_proxy_searches",
            "Searches through the proxy that requested reranking, by result and reason.",
            ("applied", "reason"),
            registry=registry,
        )
        self._shadowed = Counter(
            "rerank_shadow_searches",
            "Searches sampled in shadow mode, by outcome.",
            ("outcome",),
            registry=registry,
        )
        self._overlap = Histogram(
            "rerank_shadow_overlap_at_10",
            "Fraction of the first ten hits of OpenSearch that stay in the first ten after reranking.",
            buckets=_OVERLAPS,
            registry=registry,
        )
        self._correlation = Histogram(
            "rerank_shadow_rank_correlation",
            "Spearman's rank correlation of the hits before and after reranking.",
            buckets=_CORRELATIONS,
            registry=registry,
        )
        self._breaker = Gauge(
            "rerank_breaker_open",
            "State of the circuit breaker: 0 closed, 0.5 half open, 1 open.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._breaker_state = breaker_state
        self._observe_breaker()

    def observe_search(self, outcome: Outcome) -> None:
        """Counts one search."""
        reason = outcome.effective_reason
        self._searches.labels(str(outcome.applied).lower(), "none" if reason is None else str(reason)).inc()
        self._observe_breaker()

    def observe_shadow(self, difference: RankingDifference | None) -> None:
        """Counts one search of shadow mode; None means that it was not reranked."""
        self._shadowed.labels("none" if difference is None else "compared").inc()
        if difference is not None:
            self._overlap.observe(difference.overlap)
            self._correlation.observe(difference.correlation)

    def _observe_breaker(self) -> None:
        self._breaker.set(_BREAKER_VALUES[self._breaker_state()])
