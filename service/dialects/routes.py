"""The paths that rerank clients send to, and the one handler behind them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, request

from rerank.core.errors import RerankError
from rerank.core.stop_condition import StopCondition
from rerank.service.client_connection import client_connection
from rerank.service.components import Components
from rerank.service.dialects.detection import (
    HUGGING_FACE_PATH,
    INFERENCE_PATH,
    NIM_PATH,
    ROOT_PATH,
    TEXT_SIMILARITY_PATH,
    detect_dialect,
)
from rerank.service.dialects.dialect import Dialect, Endpoint
from rerank.service.dialects.ranking import TextRanking, rank_texts
from rerank.service.dialects.vllm_score import ScoreBody, score_pairs
from rerank.service.errors import refusal
from rerank.service.metrics import Metrics
from rerank.service.request_body import read_json_object, validate_body
from rerank.service.rerank_headers import rerank_headers

RERANK_PATHS = (
    "/rerank",
    "/v1/rerank",
    "/v2/rerank",
    "/v1/reranking",
    "/api/v1/rerank",
    NIM_PATH,
    HUGGING_FACE_PATH,
    "/invocations",
    ROOT_PATH,
    INFERENCE_PATH,
    TEXT_SIMILARITY_PATH,
)
SCORE_PATH = "/score"


def routes(components: Components, metrics: Metrics) -> Blueprint:
    """Ranking texts in every dialect, and scoring pairs."""
    blueprint = Blueprint("rerank", __name__)
    handlers = _Handlers(components, metrics)
    rerank, score = handlers.rerank, handlers.score
    for path in RERANK_PATHS:
        blueprint.add_url_rule(path, view_func=rerank, methods=["POST"])
    blueprint.add_url_rule(SCORE_PATH, view_func=score, methods=["POST"])
    return blueprint


@dataclass(frozen=True)
class _Handlers:
    """From a request to its answer."""

    components: Components
    metrics: Metrics

    def rerank(self, model: str | None = None) -> Response:
        started = time.perf_counter()
        sent = read_json_object(request)
        endpoint = Endpoint(_rule(), model, request.args.to_dict())
        dialect = detect_dialect(sent, endpoint.rule)
        try:
            return self._ranked(dialect, sent, endpoint, started)
        except RerankError as exc:
            return refusal(exc, dialect.statuses)

    def score(self) -> Response:
        started = time.perf_counter()
        body = validate_body(ScoreBody, read_json_object(request))
        body.check()
        model = self.components.rerankers.get().get(body.model)
        answer, rankings = score_pairs(model, body, cancellation=client_connection(request))
        for ranking in rankings:
            self.metrics.observe_ranking(ranking.report)
        response = jsonify(answer)
        response.headers.update(_headers(rankings, (time.perf_counter() - started) * 1000))
        return response

    def _ranked(self, dialect: Dialect, sent: dict[str, object], endpoint: Endpoint, started: float) -> Response:
        body = validate_body(dialect.body, sent)
        call = body.call(endpoint)
        ranking = rank_texts(
            self.components.rerankers.get().get(call.model),
            call.query,
            call.texts,
            limits=call.limits,
            raw_scores=call.raw_scores,
            stop=StopCondition.of(call.timeout_ms, client_connection(request)),
        )
        self.metrics.observe_ranking(ranking.report)
        response = jsonify(body.answer(call, ranking, endpoint))
        took_ms = (time.perf_counter() - started) * 1000
        response.headers.update(_headers([ranking], took_ms))
        response.headers.update(dialect.headers(call, ranking, took_ms=took_ms))
        return response


def _rule() -> str:
    return "" if request.url_rule is None else request.url_rule.rule


def _headers(rankings: Sequence[TextRanking], took_ms: float) -> dict[str, str]:
    """Of the ranking, or of the first of several that was not made in full."""
    ranking = next((ranking for ranking in rankings if ranking.report.reason is not None), rankings[0])
    return rerank_headers(ranking.report, took_ms=took_ms) | truncation_header(ranking)


def truncation_header(ranking: TextRanking) -> dict[str, str]:
    """What was not read to its end: `query`, and the places of texts; no header where everything was."""
    cut = ["query"] if ranking.report.query_truncated else []
    cut += [str(place) for place in ranking.truncated]
    return {"x-rerank-truncated": ",".join(cut)} if cut else {}
