"""The routes of rerank clients. One view serves all dialects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import Response, jsonify, request

from rerank.core.errors import RerankError
from rerank.core.ranking import RankingModel
from rerank.core.stop_condition import StopCondition
from rerank.service.api_blueprint import BODY_ERRORS, ApiBlueprint, Operation
from rerank.service.client_connection import client_connection
from rerank.service.components import Components
from rerank.service.dialects.all_dialects import AnyRerankBody, AnyRerankResponse
from rerank.service.dialects.detection import (
    HUGGING_FACE_PATH,
    INFERENCE_PATH,
    INFINITY_PATH,
    NIM_PATH,
    ROOT_PATH,
    TEXT_SIMILARITY_PATH,
    detect_dialect,
)
from rerank.service.dialects.dialect import Dialect, Endpoint
from rerank.service.dialects.ranking import TextRanking, rank_texts
from rerank.service.dialects.vllm_score import ScoreBody, ScoreResponse, score_pairs
from rerank.service.errors import flask_error_response
from rerank.service.metrics import Metrics
from rerank.service.request_body import read_json_object
from rerank.service.rerank_headers import rerank_headers
from rerank.service.tolerant_model import ignored_header
from rerank.service.validation import check_unicode, validate_body

RERANK_PATHS = (
    "/rerank",
    "/v1/rerank",
    "/v2/rerank",
    "/v1/v2/rerank",
    "/v1/reranking",
    "/api/v1/rerank",
    NIM_PATH,
    HUGGING_FACE_PATH,
    INFINITY_PATH,
    "/invocations",
    ROOT_PATH,
    INFERENCE_PATH,
    TEXT_SIMILARITY_PATH,
)

_MODEL_ERRORS = (404, *BODY_ERRORS, 429, 503)
RERANK = tuple(
    Operation(
        "POST",
        path,
        "Rerank texts; the keys of the body select the dialect",
        body=AnyRerankBody,
        response=AnyRerankResponse,
        errors=(*_MODEL_ERRORS, 422, 424),
        trailing_slash=True,
    )
    for path in RERANK_PATHS
)
SCORE = Operation(
    "POST", "/score", "Score text pairs (vLLM format)", body=ScoreBody, response=ScoreResponse, errors=_MODEL_ERRORS
)


def routes(components: Components, metrics: Metrics) -> ApiBlueprint:
    """Returns the routes that rerank texts in every dialect and score text pairs."""
    blueprint = ApiBlueprint("rerank")
    views = _Views(components, metrics)

    @blueprint.operation(*RERANK)
    def rerank(model: str | None = None) -> Response:
        return views.rerank(model)

    @blueprint.operation(SCORE)
    def score() -> Response:
        return views.score()

    return blueprint


@dataclass(frozen=True)
class _Views:
    """Views of the rerank routes."""

    components: Components
    metrics: Metrics

    def rerank(self, model: str | None) -> Response:
        started = time.perf_counter()
        body = read_json_object(request)
        endpoint = Endpoint(_rule(), model, request.args.to_dict())
        dialect = detect_dialect(body, endpoint.rule)
        try:
            return self._rerank(dialect, body, endpoint, started)
        except RerankError as exc:
            return flask_error_response(exc, dialect.statuses)

    def score(self) -> Response:
        started = time.perf_counter()
        body = validate_body(ScoreBody, read_json_object(request))
        body.check()
        model = self.components.rerankers.get().get(body.model)
        scores, rankings = score_pairs(model, body, cancellation=client_connection(request))
        for ranking in rankings:
            self.metrics.observe_ranking(ranking.report)
        response = jsonify(scores)
        response.headers.update(ignored_header(body.ignored_keys()))
        response.headers.update(_headers(rankings, (time.perf_counter() - started) * 1000))
        return response

    def _rerank(self, dialect: Dialect, raw_body: dict[str, object], endpoint: Endpoint, started: float) -> Response:
        body = validate_body(dialect.body, raw_body)
        call = body.to_call(endpoint)
        model, ignored = self._model(call.model, body.instruction)
        call = replace(call, ignored=(*body.ignored_keys(), *ignored))
        ranking = rank_texts(
            model,
            call.query,
            call.texts,
            limits=call.limits,
            similarity=self.components.similarity(),
            raw_scores=call.raw_scores,
            stop=StopCondition.of(call.timeout_ms, client_connection(request)),
        )
        self.metrics.observe_ranking(ranking.report)
        response = jsonify(body.to_response(call, ranking, endpoint))
        took_ms = (time.perf_counter() - started) * 1000
        response.headers.update(_headers([ranking], took_ms))
        response.headers.update(ignored_header(list(call.ignored)))
        response.headers.update(dialect.headers(call, ranking, took_ms=took_ms))
        return response

    def _model(self, name: str | None, instruction: str | None) -> tuple[RankingModel, tuple[str, ...]]:
        """Returns the model, with *instruction* if it takes one, and the keys that the model ignores."""
        model = self.components.rerankers.get().get(name)
        if not instruction:
            return model, ()
        check_unicode(instruction, "instruction")
        instructed = model.instructed(instruction)
        return (model, ("instruction",)) if instructed is None else (instructed, ())


def _rule() -> str:
    return "" if request.url_rule is None else request.url_rule.rule


def _headers(rankings: Sequence[TextRanking], took_ms: float) -> dict[str, str]:
    """Returns the headers of the first incomplete ranking, or else of the first ranking."""
    ranking = next((ranking for ranking in rankings if ranking.report.reason is not None), rankings[0])
    return rerank_headers(ranking.report, took_ms=took_ms) | truncation_header(ranking)


def truncation_header(ranking: TextRanking) -> dict[str, str]:
    """Returns the header that lists the truncated inputs: `query` and positions of texts. Empty without truncation."""
    truncated = ["query"] if ranking.report.query_truncated else []
    truncated += [str(index) for index in ranking.truncated]
    return {"x-rerank-truncated": ",".join(truncated)} if truncated else {}
