"""GET /metrics, in Prometheus' text format.

With several workers, prometheus_client's multiprocess mode stores the values of each worker in shared files, so that
every worker reports the totals of the service. The server enables that mode before the first metric is created.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from rerank.core.model_load import ModelLoad
from rerank.core.search import RerankReport, SearchResult
from rerank.service.api_blueprint import ApiBlueprint, Operation
from rerank.service.multiprocess_metrics import is_multiprocess

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MODEL_COUNTERS = {
    "batches": "Batches processed by the models.",
    "tokens": "Tokens in these batches, without padding.",
    "padding": "Padding tokens in these batches.",
    "refused": "Requests refused because the queue was full.",
    "cancelled": "Requests cancelled because their client disconnected.",
    "looked_up": "Lookups of scores and query vectors in the cache.",
    "cached": "Cache hits of scores and query vectors.",
}
"""Help texts of the counters, by field of ModelLoad."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


class _RequestMetrics:
    """HTTP responses: count and latency."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.responses = Counter(
            "rerank_http_requests",
            "HTTP requests by route, method and response status.",
            ("route", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "rerank_http_request_seconds",
            "HTTP request latency in seconds, by route and method.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=registry,
        )


class _RankingMetrics:
    """Searches and rerank requests: stage latency and outcome."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stages = Histogram(
            "rerank_stage_seconds",
            "Duration of each stage of a search, in seconds.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.rankings = Counter(
            "rerank_rankings",
            "Searches and rerank requests, by whether reranking was applied and the reason if it was not.",
            ("applied", "reason"),
            registry=registry,
        )
        self.scored = Counter("rerank_candidates_scored", "Candidates scored by a cross-encoder.", registry=registry)
        self.estimated = Counter(
            "rerank_candidates_estimated", "Candidates ranked by an estimated logit.", registry=registry
        )


class _ModelMetrics:
    """Work of the models: queue length and totals."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge(
            "rerank_waiting",
            "Rerank requests that are queued or in progress.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._counters = {
            name: Counter(f"rerank_model_{name}", text, registry=registry) for name, text in _MODEL_COUNTERS.items()
        }
        self._lock = threading.Lock()
        self._previous = ModelLoad()

    def observe(self, load: ModelLoad) -> None:
        """Adds the increase of each total since the last call."""
        with self._lock:
            previous, self._previous = self._previous, load
            for name, counter in self._counters.items():
                counter.inc(max(getattr(load, name) - getattr(previous, name), 0))
            self._waiting.set(load.waiting)


class Metrics:
    """Metrics of one application, in their own registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._multiprocess = is_multiprocess()
        if not self._multiprocess:
            ProcessCollector(registry=self._registry)
        self._requests = _RequestMetrics(self._registry)
        self._rankings = _RankingMetrics(self._registry)
        self._models = _ModelMetrics(self._registry)

    @property
    def registry(self) -> CollectorRegistry:
        """Returns the registry, to which other parts of the service add metrics."""
        return self._registry

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one response. *route* is the matched rule, which bounds the number of labels."""
        method = method if method in _METHODS else "other"
        self._requests.responses.labels(route, method, str(status)).inc()
        self._requests.seconds.labels(route, method).observe(seconds)

    def observe_search(self, result: SearchResult) -> None:
        """Counts one search and its stages."""
        for stage, milliseconds in result.took_ms.items():
            self._rankings.stages.labels(stage).observe(milliseconds / 1000)
        self.observe_ranking(result.rerank)

    def observe_ranking(self, report: RerankReport) -> None:
        """Counts one ranking."""
        reason = "none" if report.reason is None else str(report.reason)
        self._rankings.rankings.labels(str(report.applied).lower(), reason).inc()
        self._rankings.scored.inc(report.scored)
        self._rankings.estimated.inc(report.estimated)

    def observe_load(self, load: ModelLoad) -> None:
        """Records the work of the models since the last call."""
        self._models.observe(load)

    def exposition(self) -> bytes:
        """Returns all metrics of all workers in Prometheus' text format."""
        if not self._multiprocess:
            return generate_latest(self._registry)
        collected = CollectorRegistry()
        MultiProcessCollector(collected)  # type: ignore[no-untyped-call]
        return generate_latest(collected)


def routes(metrics: Metrics, model_load: Callable[[], ModelLoad]) -> ApiBlueprint:
    """Returns the route of the metrics, which reads *model_load* on each request."""
    blueprint = ApiBlueprint("metrics")

    @blueprint.operation(Operation("GET", "/metrics", "Get the Prometheus metrics", content_type="text/plain"))
    def exposition() -> Response:
        metrics.observe_load(model_load())
        return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    return blueprint
