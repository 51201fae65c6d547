"""Response headers that report the outcome of reranking where the body follows another API's format."""

from __future__ import annotations

from urllib.parse import quote

from rerank.core.search import RerankReport


def rerank_headers(report: RerankReport, *, took_ms: float) -> dict[str, str]:
    """Returns the four headers of a ranked response. The reason is empty if all candidates were scored.

    Percent-encodes characters of the model name that are not allowed in a header.
    """
    return {
        "x-rerank-applied": "true" if report.applied else "false",
        "x-rerank-reason": "" if report.reason is None else str(report.reason),
        "x-rerank-model": quote(report.model or "", safe="/:@+=,; ()"),
        "x-rerank-took": f"{took_ms:.3f}",
    }
