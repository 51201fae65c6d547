"""POST /rerank: texts in the order that the cross-encoder alone gives them, in Cohere's and Jina's shape.

There is no first stage here, so there is nothing to fall back to: a model that fails is an error.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flask import Blueprint, Response, jsonify, request

from core.errors import InvalidRequest
from core.fusion import sigmoid
from core.protocols import Cancellation, Reranker, RerankScores
from core.search import Reason, RerankReport, rounded
from service.body import read_object, validated
from service.client import client_of
from service.components import Components
from service.headers import rerank_headers
from service.metrics import Metrics
from service.requests import RerankBody

_API_VERSIONS = {"/rerank": "2", "/v1/rerank": "1", "/v2/rerank": "2"}
DOCUMENTS_A_SEARCH_UNIT = 100
"""How Cohere counts: one unit is a query with up to a hundred documents."""


@dataclass(frozen=True)
class TextRanking:
    """Texts in their final order: `order` has their places in the request, `scores` (0 to 1) belong to them."""

    order: Sequence[int]
    scores: Sequence[float]
    tokens: int
    report: RerankReport


def routes(components: Components, metrics: Metrics) -> Blueprint:
    """The three paths that clients of either dialect send to."""
    blueprint = Blueprint("rerank", __name__)

    def rerank() -> Response:
        started = time.perf_counter()
        body = validated(RerankBody, read_object(request))
        body.check()
        texts = document_texts(body.documents, body.rank_fields)
        reranker = components.rerankers.get().get(body.model).reranker
        ranking = rank_texts(reranker, body.query, texts, timeout_ms=body.timeout_ms, cancellation=client_of(request))
        metrics.observe_ranking(ranking.report)
        response = jsonify(answer(body, texts, ranking, api_version=_API_VERSIONS[request.path]))
        took_ms = (time.perf_counter() - started) * 1000
        response.headers.update(rerank_headers(ranking.report, took_ms=took_ms))
        return response

    for path in _API_VERSIONS:
        blueprint.add_url_rule(path, view_func=rerank, methods=["POST"])
    return blueprint


def rank_texts(
    reranker: Reranker,
    query: str,
    texts: Sequence[str],
    *,
    timeout_ms: int | None,
    cancellation: Cancellation | None = None,
) -> TextRanking:
    """*texts* by falling logit, equal ones in the order they came; what the time left out follows in its own order.

    Raises ModelError when the model fails, ModelOverloaded when too much work is waiting, RequestCancelled once
    *cancellation* says that nobody waits any more.
    """
    deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
    scores = reranker.score(query, texts, deadline=deadline, cancellation=cancellation)
    read = np.flatnonzero(scores.scored)
    best_first = read[np.argsort(-scores.logits[read], kind="stable")]
    rest = np.flatnonzero(~scores.scored)
    final = sigmoid(scores.logits[best_first].astype(np.float64)).tolist()
    floor = final[-1] if final else 0.0
    # Below every scored one and falling, so that a client that sorts by score keeps the order.
    final += [floor * (1 - place / (len(rest) + 1)) for place in range(1, len(rest) + 1)]
    return TextRanking(
        order=best_first.tolist() + rest.tolist(),
        scores=final,
        tokens=int(scores.tokens.sum()),
        report=_report(reranker, scores),
    )


def document_texts(documents: Sequence[object], rank_fields: Sequence[str] | None) -> list[str]:
    """The text of each document: itself, or the *rank_fields* (`text`) of an object, one a line.

    Raises InvalidRequest for a document that is neither, for an object that has none of the fields, and for a field
    that is not a string.
    """
    fields = rank_fields or ("text",)
    return [_text(document, fields, f"documents[{i}]") for i, document in enumerate(documents)]


def answer(body: RerankBody, texts: Sequence[str], ranking: TextRanking, *, api_version: str) -> dict[str, object]:
    """What Cohere's, Jina's, vLLM's and OpenSearch's clients all read; nothing else is in a result."""
    results: list[dict[str, object]] = []
    for i, score in list(zip(ranking.order, ranking.scores, strict=True))[: body.top_n]:
        result: dict[str, object] = {"index": i, "relevance_score": rounded(score)}
        if body.return_documents:
            result["document"] = {"text": texts[i]}
        results.append(result)
    units = -(-len(texts) // DOCUMENTS_A_SEARCH_UNIT)
    return {
        "id": str(uuid.uuid4()),
        "object": "list",
        "model": ranking.report.model,
        "results": results,
        "usage": {"prompt_tokens": ranking.tokens, "total_tokens": ranking.tokens},
        "meta": {
            "api_version": {"version": api_version, "is_experimental": False},
            "billed_units": {"search_units": units},
            "tokens": {"input_tokens": ranking.tokens},
        },
    }


def _text(document: object, fields: Sequence[str], where: str) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, Mapping):
        raise InvalidRequest(f'"{where}" is a string, or an object with the key "text"', field=where)
    parts = []
    for field in fields:
        value = document.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidRequest(f'"{where}.{field}" is a string', field=f"{where}.{field}")
        parts.append(value)
    if not parts:
        raise InvalidRequest(f'"{where}" has no text: expected the key {" or ".join(fields)}', field=where)
    return "\n".join(parts)


def _report(reranker: Reranker, scores: RerankScores) -> RerankReport:
    scored = int(scores.scored.sum())
    return RerankReport(
        applied=scored > 0,
        reason=None if scored == len(scores.scored) else Reason.TIMEOUT,
        model=reranker.name,
        candidates=len(scores.scored),
        scored=scored,
        cached=scores.cached,
        query_truncated=scores.query_truncated,
    )
