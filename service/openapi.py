"""GET /openapi.json: the interface, made from the models that requests are checked with and answers tested with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rerank.service import request_models, response_models
from rerank.service.dialects.all_dialects import BODIES, AnyRerankBody, AnyRerankResponse
from rerank.service.dialects.routes import RERANK_PATHS, SCORE_PATH
from rerank.service.dialects.vllm_score import ScoreBody, ScoreResponse
from rerank.service.info import service_version

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Route:
    """One operation: what it takes, what it answers, and which refusals it has beyond 400 and 401.

    empty: it answers 204, without a body.
    """

    method: str
    path: str
    summary: str
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    refusals: tuple[int, ...] = field(default=())
    empty: bool = False


@dataclass(frozen=True)
class Operation:
    """A route as /docs shows it."""

    method: str
    path: str
    summary: str
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Key:
    """One key of a request's body."""

    name: str
    required: bool
    description: str


def _described(rule: str) -> str:
    """A path rule of Flask's as OpenAPI spells it: `<path:model>` is `{model}`."""
    return _PARAMETER.sub(r"{\1}", rule)


_RERANK = "Texts in the cross-encoder's order; the dialect is read from the body"
_RERANK_REFUSALS = (404, 413, 415, 422, 424, 429, 503)

ROUTES = (
    Route(
        "post",
        "/search",
        "Search",
        request_models.SearchBody,
        response_models.SearchResponse,
        (404, 409, 413, 415, 502, 503, 504),
    ),
    Route("get", "/search", "Search by address", None, response_models.SearchResponse, (404, 409, 502, 503, 504)),
    Route(
        "post",
        "/documents",
        "Add or replace documents",
        request_models.AddBody,
        response_models.AddResponse,
        (404, 409, 413, 415, 502, 503, 504, 507),
    ),
    Route(
        "delete",
        "/documents",
        "Delete documents",
        request_models.DeleteBody,
        response_models.DeleteResponse,
        (404, 413, 415, 502, 503, 504),
    ),
    *(
        Route("post", path, _RERANK, AnyRerankBody, AnyRerankResponse, _RERANK_REFUSALS)
        for path in map(_described, RERANK_PATHS)
    ),
    Route("post", SCORE_PATH, "Scores of pairs (vLLM)", ScoreBody, ScoreResponse, (404, 413, 415, 429, 503)),
    Route(
        "post",
        "/predict",
        "What a cross-encoder says of texts or pairs (text-embeddings-inference's shape)",
        request_models.PredictBody,
        response_models.PredictResponse,
        (404, 413, 415, 422, 424, 429, 503),
    ),
    Route("get", "/indexes", "What can be searched", None, response_models.IndexesResponse, (502, 503, 504)),
    Route("get", "/models", "What can rank", None, response_models.ModelsResponse),
    Route("get", "/health", "Does the process live?", None, response_models.HealthResponse),
    Route("get", "/ready", "Can it serve?", None, response_models.ReadyResponse, (503,)),
    Route("get", "/info", "What this server is (text-embeddings-inference's shape)", refusals=(503,)),
    Route("get", "/.well-known/live", "Does the process live? (Weaviate)", empty=True),
    Route("get", "/.well-known/ready", "Can it rank? (Weaviate)", refusals=(503,), empty=True),
    Route("get", "/meta", "What ranks (Weaviate)", refusals=(503,)),
    Route("get", "/metrics", "Measures (Prometheus)"),
    Route("get", "/openapi.json", "This description"),
    Route("get", "/docs", "This description, readable"),
    Route("get", "/", "The page with the search box"),
)

_TEXT_ANSWERS = {"/metrics": "text/plain", "/docs": "text/html", "/": "text/html"}


def describe() -> dict[str, object]:
    """The OpenAPI 3.1 document."""
    models = {route.body for route in ROUTES} | {route.answer for route in ROUTES} | {response_models.ErrorResponse}
    _, schemas = models_json_schema(
        sorted(((model, "validation") for model in models if model), key=lambda entry: entry[0].__name__),
        ref_template=_REF,
    )
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rerank",
            "version": service_version(),
            "description": "Retrieve with a bi-encoder, re-rank with a cross-encoder.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"key": []}, {"bearer": []}],
    }


def operations() -> list[Operation]:
    """What /docs shows, from the same table."""
    return [
        Operation(
            route.method.upper(),
            route.path,
            route.summary,
            # The keys of all dialects are a long list: once is enough.
            () if route.body is AnyRerankBody and route.path != RERANK_PATHS[0] else _body_keys(route.body),
        )
        for route in ROUTES
    ]


def routes(description: dict[str, object]) -> Blueprint:
    """The description itself."""
    blueprint = Blueprint("openapi", __name__)

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(description)

    return blueprint


def _operation(route: Route) -> dict[str, object]:
    operation: dict[str, object] = {"summary": route.summary, "responses": _responses(route)}
    if "{" in route.path:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", route.path)
        ]
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(route.body)}
    elif (route.method, route.path) == ("get", "/search"):
        operation["parameters"] = _search_parameters()
    return operation


def _search_parameters() -> list[dict[str, object]]:
    schema = request_models.SearchBody.model_json_schema(ref_template=_REF)
    return [
        {
            "name": "q" if name == "query" else name,
            "in": "query",
            "required": name in schema["required"],
            "schema": described,
        }
        for name, described in schema["properties"].items()
        if name != "filter"
    ]


def _responses(route: Route) -> dict[str, object]:
    content = (
        _json(route.answer) if route.answer is not None else {_TEXT_ANSWERS.get(route.path, "application/json"): {}}
    )
    responses: dict[str, object] = {"200": {"description": "The answer.", "content": content}}
    if route.empty:
        responses = {"204": {"description": "Yes."}}
    refusals = {401, *route.refusals} | ({400} if route.body is not None or route.path == "/search" else set())
    for status in sorted(refusals):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": _json(response_models.ErrorResponse),
        }
    return responses


def _json(model: type[BaseModel]) -> dict[str, object]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _body_keys(model: type[BaseModel] | None) -> tuple[Key, ...]:
    if model is None:
        return ()
    if model is AnyRerankBody:
        return tuple(
            Key(key.name, key.required, f"{body.__name__.removesuffix('Body')}: {key.description}")
            for body in BODIES
            for key in _body_keys(body)
        )
    return tuple(
        Key(entry.alias or name, entry.is_required(), entry.description or "")
        for name, entry in model.model_fields.items()
    )
