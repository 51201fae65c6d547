"""POST /search and GET /search."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from werkzeug.datastructures import MultiDict

from rerank.core.errors import InvalidRequest
from rerank.service.api_blueprint import BODY_ERRORS, STORE_ERRORS, ApiBlueprint, Operation
from rerank.service.client_connection import client_connection
from rerank.service.components import Components
from rerank.service.metrics import Metrics
from rerank.service.request_body import read_json_object
from rerank.service.request_models import SearchBody, SearchParameters
from rerank.service.rerank_headers import rerank_headers
from rerank.service.response_models import SearchResponse
from rerank.service.validation import validate_body

_INTEGERS = ("k", "depth", "timeout_ms", "from")
_BOOLEANS = ("rerank", "explain")

POST_SEARCH = Operation(
    "POST",
    "/search",
    "Search an index",
    body=SearchBody,
    response=SearchResponse,
    errors=(404, 409, *BODY_ERRORS, *STORE_ERRORS),
)
GET_SEARCH = Operation(
    "GET",
    "/search",
    "Search an index by query string",
    query=SearchParameters,
    response=SearchResponse,
    errors=(404, 409, *STORE_ERRORS),
)


def routes(components: Components, metrics: Metrics) -> ApiBlueprint:
    """Returns the routes that search an index."""
    blueprint = ApiBlueprint("search")

    @blueprint.operation(POST_SEARCH)
    def search() -> Response:
        return respond(read_json_object(request))

    @blueprint.operation(GET_SEARCH)
    def search_by_query_string() -> Response:
        return respond(parse_query_string(request.args))

    def respond(body: dict[str, Any]) -> Response:
        search_request = validate_body(SearchBody, body).to_request(components.settings)
        result = components.pipeline().search(search_request, cancellation=client_connection(request))
        metrics.observe_search(result)
        response = jsonify(result.to_json())
        response.headers.update(rerank_headers(result.rerank, took_ms=result.took_ms["total"]))
        return response

    return blueprint


def parse_query_string(args: MultiDict[str, str]) -> dict[str, Any]:
    """Returns a query string as the equivalent body: `q` becomes `query`, and values get the type of their key.

    Raises InvalidRequest for a repeated parameter, and for `filter`, which only a body can hold.
    """
    body: dict[str, Any] = {}
    for name, values in args.lists():
        if len(values) > 1:
            raise InvalidRequest(f'parameter "{name}" must occur once, got {len(values)} times', field=name)
        if name == "filter":
            raise InvalidRequest('"filter" is not supported in a query string. Use POST /search', field=name)
        key = "query" if name == "q" else name
        if key in body:
            raise InvalidRequest('"q" and "query" are the same parameter. Send one of them', field=name)
        body[key] = _typed_value(key, values[0])
    return body


def _typed_value(key: str, text: str) -> object:
    """Returns *text* as the type of *key*, or unchanged if it does not fit; validation then names the key."""
    try:
        if key in _INTEGERS:
            return int(text)
        if key == "min_score":
            return float(text)
    except ValueError:
        return text
    if key in _BOOLEANS:
        return {"true": True, "false": False}.get(text, text)
    return text
