"""What is counted of searches that pass."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rerank.service.proxy.search.breaker import BreakerState
from rerank.service.proxy.search.composing import Outcome
from rerank.service.proxy.search.shadow import Difference

_OVERLAPS = tuple(i / 10 for i in range(11))
_CORRELATIONS = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)


class ProxyMeasures:
    """Measures in *registry*; *breaker_state* is asked when they are read."""

    def __init__(self, registry: CollectorRegistry, breaker_state: Callable[[], BreakerState]) -> None:
        self._searches = Counter(
            "rerank_proxy_searches",
            "Searches through the proxy that could have been re-ranked, by whether they were, and why not.",
            ("applied", "reason"),
            registry=registry,
        )
        self._shadowed = Counter(
            "rerank_shadow_searches",
            "Searches drawn for shadow mode, by what came of them.",
            ("outcome",),
            registry=registry,
        )
        self._overlap = Histogram(
            "rerank_shadow_overlap_at_10",
            "Share of OpenSearch's first ten hits that are among the first ten after re-ranking.",
            buckets=_OVERLAPS,
            registry=registry,
        )
        self._correlation = Histogram(
            "rerank_shadow_rank_correlation",
            "Spearman's correlation of the orders before and after re-ranking.",
            buckets=_CORRELATIONS,
            registry=registry,
        )
        breaker = Gauge(
            "rerank_breaker_open",
            "1 while the circuit breaker keeps searches from the reranker, 0.5 while it tries one, 0 otherwise.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._states = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}
        self._breaker = breaker
        self._breaker_state = breaker_state
        self.observe_breaker()

    def observe(self, outcome: Outcome) -> None:
        """Count one search."""
        reason = outcome.said_reason
        self._searches.labels(str(outcome.applied).lower(), "none" if reason is None else str(reason)).inc()
        self.observe_breaker()

    def observe_shadow(self, difference: Difference | None) -> None:
        """Count one search of shadow mode."""
        self._shadowed.labels("none" if difference is None else "compared").inc()
        if difference is not None:
            self._overlap.observe(difference.overlap)
            self._correlation.observe(difference.correlation)

    def observe_breaker(self) -> None:
        """Set the gauge to what the breaker is now."""
        self._breaker.set(self._states[self._breaker_state()])
