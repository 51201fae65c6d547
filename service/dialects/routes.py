"""The paths that rerank clients send to, and the one handler behind them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, request

from rerank.core.errors import RerankError
from rerank.core.wait import Wait
from rerank.service.body import read_object, validated
from rerank.service.client import client_of
from rerank.service.components import Components
from rerank.service.dialects.call import Address, Dialect
from rerank.service.dialects.choosing import (
    HUGGING_FACE_PATH,
    INFERENCE_PATH,
    NIM_PATH,
    ROOT_PATH,
    TEXT_SIMILARITY_PATH,
    dialect_of,
)
from rerank.service.dialects.ranking import TextRanking, rank_texts
from rerank.service.dialects.vllm_score import ScoreBody, score_pairs
from rerank.service.errors import refusal
from rerank.service.headers import rerank_headers
from rerank.service.metrics import Metrics

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
        sent = read_object(request)
        address = Address(_rule(), model, request.args.to_dict())
        dialect = dialect_of(sent, address.rule)
        try:
            return self._ranked(dialect, sent, address, started)
        except RerankError as exc:
            return refusal(exc, dialect.statuses)

    def score(self) -> Response:
        started = time.perf_counter()
        body = validated(ScoreBody, read_object(request))
        body.check()
        model = self.components.rerankers.get().get(body.model)
        answer, rankings = score_pairs(model, body, cancellation=client_of(request))
        for ranking in rankings:
            self.metrics.observe_ranking(ranking.report)
        response = jsonify(answer)
        response.headers.update(_headers(rankings, (time.perf_counter() - started) * 1000))
        return response

    def _ranked(self, dialect: Dialect, sent: dict[str, object], address: Address, started: float) -> Response:
        body = validated(dialect.body, sent)
        call = body.call(address)
        ranking = rank_texts(
            self.components.rerankers.get().get(call.model),
            call.query,
            call.texts,
            limits=call.limits,
            raw_scores=call.raw_scores,
            wait=Wait.of(call.timeout_ms, client_of(request)),
        )
        self.metrics.observe_ranking(ranking.report)
        response = jsonify(body.answer(call, ranking, address))
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
