"""GET /metrics, and what is counted for it.

With several workers each one counts in files that all of them read (prometheus_client's multiprocess mode, which the
server switches on before anything is counted), so that every worker answers for the whole service.
"""

from __future__ import annotations

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from core.search import RerankReport, SearchResult
from service.shared_counts import counts_are_shared

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


class Metrics:
    """The measures of one application, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._several_workers = counts_are_shared()
        if not self._several_workers:
            ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "rerank_http_requests",
            "Answers by route, method and status.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._latency = Histogram(
            "rerank_http_request_seconds",
            "Time to answer, by route and method.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "rerank_stage_seconds",
            "Time of each stage of a search.",
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rankings = Counter(
            "rerank_rankings",
            "Searches and rerank calls by whether the cross-encoder ordered them, and why not.",
            ("applied", "reason"),
            registry=self._registry,
        )
        self._scored = Counter(
            "rerank_candidates_scored", "Texts that a cross-encoder gave a score.", registry=self._registry
        )

    @property
    def registry(self) -> CollectorRegistry:
        """Where parts of the service add measures of their own."""
        return self._registry

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer; *route* is the rule that matched, so that there are only so many."""
        method = method if method in _METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._latency.labels(route, method).observe(seconds)

    def observe_search(self, result: SearchResult) -> None:
        """Count one search and its stages."""
        for stage, milliseconds in result.took_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        self.observe_ranking(result.rerank)

    def observe_ranking(self, report: RerankReport) -> None:
        """Count one ranking."""
        reason = "none" if report.reason is None else str(report.reason)
        self._rankings.labels(str(report.applied).lower(), reason).inc()
        self._scored.inc(report.scored)

    def exposition(self) -> bytes:
        """Everything counted so far, by all workers, in Prometheus' text format."""
        if not self._several_workers:
            return generate_latest(self._registry)
        gathered = CollectorRegistry()
        MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
        return generate_latest(gathered)


def routes(metrics: Metrics) -> Blueprint:
    """The measures."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    def exposition() -> Response:
        return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    return blueprint
