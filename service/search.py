"""POST and GET /search."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import MultiDict

from rerank.core.errors import InvalidRequest
from rerank.service.client_connection import client_connection
from rerank.service.components import Components
from rerank.service.metrics import Metrics
from rerank.service.request_body import read_json_object, validate_body
from rerank.service.request_models import SearchBody
from rerank.service.rerank_headers import rerank_headers

_WHOLE_NUMBERS = ("k", "depth", "timeout_ms", "from")
_FLAGS = ("rerank", "explain")


def routes(components: Components, metrics: Metrics) -> Blueprint:
    """The search itself."""
    blueprint = Blueprint("search", __name__)

    @blueprint.post("/search")
    def search() -> Response:
        return answer(read_json_object(request))

    @blueprint.get("/search")
    def search_by_address() -> Response:
        return answer(read_query(request.args))

    def answer(body: dict[str, Any]) -> Response:
        asked = validate_body(SearchBody, body).to_request(components.settings)
        result = components.pipeline().search(asked, cancellation=client_connection(request))
        metrics.observe_search(result)
        response = jsonify(result.to_json())
        response.headers.update(rerank_headers(result.rerank, took_ms=result.took_ms["total"]))
        return response

    return blueprint


def read_query(args: MultiDict[str, str]) -> dict[str, Any]:
    """A query string as the body that it stands for: `q` is the query, numbers and true or false are read as such.

    Raises InvalidRequest for a parameter given twice, and for a filter, which only a body can hold.
    """
    body: dict[str, Any] = {}
    for name, values in args.lists():
        if len(values) > 1:
            raise InvalidRequest(f'the parameter "{name}" is there {len(values)} times', field=name)
        if name == "filter":
            raise InvalidRequest('"filter" goes into the body of POST /search, not into the address', field=name)
        key = "query" if name == "q" else name
        if key in body:
            raise InvalidRequest('"q" and "query" are the same parameter; send one', field=name)
        body[key] = _value(key, values[0])
    return body


def _value(name: str, text: str) -> object:
    """*text* as its parameter's type; what does not fit stays text, for the check of the whole to name."""
    try:
        if name in _WHOLE_NUMBERS:
            return int(text)
        if name == "min_score":
            return float(text)
    except ValueError:
        return text
    if name in _FLAGS:
        return {"true": True, "false": False}.get(text, text)
    return text
