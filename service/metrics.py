"""GET /metrics, and what is counted for it.

With several workers each one counts in files that all of them read (prometheus_client's multiprocess mode, which the
server switches on before anything is counted), so that every worker answers for the whole service.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Blueprint, Response
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
from rerank.service.multiprocess_metrics import is_multiprocess

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MODELS = {
    "batches": "Batches that models have read.",
    "tokens": "Tokens in these batches, without padding.",
    "padding": "Tokens of padding in these batches.",
    "refused": "Requests refused because too many were waiting.",
    "cancelled": "Requests dropped because their client had left.",
    "looked_up": "Scores and query vectors looked for in the cache.",
    "cached": "Scores and query vectors found in the cache.",
}
"""The counts of ModelLoad."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


class _Answers:
    """What was answered, and how fast."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.counted = Counter(
            "rerank_http_requests",
            "Answers by route, method and status.",
            ("route", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "rerank_http_request_seconds",
            "Time to answer, by route and method.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=registry,
        )


class _Searches:
    """What searches and rerank calls came to."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stages = Histogram(
            "rerank_stage_seconds", "Time of each stage of a search.", ("stage",), buckets=_SECONDS, registry=registry
        )
        self.rankings = Counter(
            "rerank_rankings",
            "Searches and rerank calls by whether the cross-encoder ordered them, and why not.",
            ("applied", "reason"),
            registry=registry,
        )
        self.scored = Counter("rerank_candidates_scored", "Texts that a cross-encoder scored.", registry=registry)
        self.estimated = Counter(
            "rerank_candidates_estimated",
            "Candidates ranked by an estimated logit instead of a score.",
            registry=registry,
        )


class _Models:
    """What the models have done."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge(
            "rerank_waiting",
            "Requests whose texts are scored or wait for it.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._counters = {
            name: Counter(f"rerank_model_{name}", text, registry=registry) for name, text in _MODELS.items()
        }
        self._observing = threading.Lock()
        self._load = ModelLoad()

    def observe(self, load: ModelLoad) -> None:
        """Count what came since the last call."""
        with self._observing:
            before, self._load = self._load, load
            for name, counter in self._counters.items():
                counter.inc(max(getattr(load, name) - getattr(before, name), 0))
            self._waiting.set(load.waiting)


class Metrics:
    """The measures of one application, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._several_workers = is_multiprocess()
        if not self._several_workers:
            ProcessCollector(registry=self._registry)
        self._answers = _Answers(self._registry)
        self._searches = _Searches(self._registry)
        self._models = _Models(self._registry)

    @property
    def registry(self) -> CollectorRegistry:
        """Where parts of the service add measures of their own."""
        return self._registry

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer; *route* is the rule that matched, so that there are only so many."""
        method = method if method in _METHODS else "other"
        self._answers.counted.labels(route, method, str(status)).inc()
        self._answers.seconds.labels(route, method).observe(seconds)

    def observe_search(self, result: SearchResult) -> None:
        """Count one search and its stages."""
        for stage, milliseconds in result.took_ms.items():
            self._searches.stages.labels(stage).observe(milliseconds / 1000)
        self.observe_ranking(result.rerank)

    def observe_ranking(self, report: RerankReport) -> None:
        """Count one ranking."""
        reason = "none" if report.reason is None else str(report.reason)
        self._searches.rankings.labels(str(report.applied).lower(), reason).inc()
        self._searches.scored.inc(report.scored)
        self._searches.estimated.inc(report.estimated)

    def observe_load(self, load: ModelLoad) -> None:
        """Count what the models have done since the last call."""
        self._models.observe(load)

    def exposition(self) -> bytes:
        """Everything counted so far, by all workers, in Prometheus' text format."""
        if not self._several_workers:
            return generate_latest(self._registry)
        gathered = CollectorRegistry()
        MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
        return generate_latest(gathered)


def routes(metrics: Metrics, load: Callable[[], ModelLoad]) -> Blueprint:
    """The measures; *load* is asked with each of them, and after every answer by the application."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    def exposition() -> Response:
        metrics.observe_load(load())
        return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    return blueprint
