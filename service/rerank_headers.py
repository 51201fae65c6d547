"""What became of re-ranking, in headers: readable where the body belongs to another dialect."""

from __future__ import annotations

from urllib.parse import quote

from rerank.core.search import RerankReport


def rerank_headers(report: RerankReport, *, took_ms: float) -> dict[str, str]:
    """The four headers of every ranked answer; the reason is empty when everything was scored.

    A model's name is percent-encoded where a header cannot hold it.
    """
    return {
        "x-rerank-applied": "true" if report.applied else "false",
        "x-rerank-reason": "" if report.reason is None else str(report.reason),
        "x-rerank-model": quote(report.model or "", safe="/:@+=,; ()"),
        "x-rerank-took": f"{took_ms:.3f}",
    }
