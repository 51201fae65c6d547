"""Requests to `_msearch`, whose searches are planned one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from rerank.core.errors import RerankError
from rerank.service.errors import error_response
from rerank.service.patterns import MULTI_SEARCH_PATH, MULTI_TEMPLATE_PATH
from rerank.service.proxy.request import ClientRequest
from rerank.service.proxy.search.call import (
    SearchCall,
    json_content_type,
    parse_json,
    without_encoding,
)
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.planning import PassThrough, Planner
from rerank.service.proxy.search.reranking import SearchReranker
from rerank.service.proxy.search.search_response import Outcome, SearchResponse
from rerank.service.proxy.search.search_template import rendered

_LINE_PARAMS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards", "preference", "routing", "search_type")
_URL_PARAMS = ("rest_total_hits_as_int", "typed_keys", "ccs_minimize_roundtrips")
Planned = Plan | PassThrough | RerankError | None


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """The searches of one request: `call` is the request without its body, `lines` the header and body of each.

    templates: the bodies are search templates.
    """

    call: SearchCall
    lines: tuple[tuple[bytes, bytes], ...]
    templates: bool = False

    @classmethod
    def parse(cls, request: ClientRequest, data: bytes, headers: list[tuple[str, str]]) -> MultiSearch | None:
        """Returns the searches of a request whose path matches MULTI_SEARCH_PATH or MULTI_TEMPLATE_PATH.

        Returns None for a malformed body: the server then reports the error.
        """
        template = MULTI_TEMPLATE_PATH.match(request.path)
        match = template or MULTI_SEARCH_PATH.match(request.path)
        index = unquote((match.group(1) if match else None) or "")
        params = tuple(parse_qsl(request.query, keep_blank_values=True))
        call = SearchCall(index, params, {}, without_encoding(headers), request.client)
        lines = data.removesuffix(b"\n").split(b"\n")
        if len(lines) % 2 or not data.endswith(b"\n"):
            return None
        return cls(call, tuple(zip(lines[::2], lines[1::2], strict=True)), templates=template is not None)

    def execute(
        self, planner: Planner, reranker: SearchReranker, *, use_defaults: bool
    ) -> tuple[SearchResponse, list[Outcome]] | None:
        """Returns the response and the outcomes, or None if none of the searches involves reranking.

        Searches that do not involve reranking are forwarded unchanged in one request. With *use_defaults*, plain
        searches of the indexes in the settings are reranked too. Raises StoreError and ClientDisconnected.
        """
        planned: list[Planned] = []
        for header, body in self.lines:
            call = self._single_search(header, body)
            if call is not None and self.templates:
                call = rendered(reranker.backend, call, call.body)
            planned.append(None if call is None else _plan(planner, call, use_defaults=use_defaults))
        if all(decision is None for decision in planned):
            return None
        forwarded = self._forward_others(planned, reranker)
        if forwarded is not None and (forwarded.backend.status != 200 or forwarded.json is None):
            return forwarded, []
        return _combine(planned, forwarded, reranker)

    def _single_search(self, header: bytes, body: bytes) -> SearchCall | None:
        """Returns the search of two lines as a request of its own, or None if they are malformed."""
        options = parse_json(header) if header.strip() else {}
        value = parse_json(body)
        if not isinstance(options, Mapping) or not isinstance(value, Mapping):
            return None
        index = options.get("index", self.call.index)
        if isinstance(index, list):
            index = ",".join(str(name) for name in index)
        params = [(key, _param_value(options[key])) for key in _LINE_PARAMS if key in options]
        params += [(name, text) for name, text in self.call.params if name in _URL_PARAMS]
        return SearchCall(str(index or ""), tuple(params), value, _json_headers(self.call.headers), self.call.client)

    def _forward_others(self, planned: Sequence[Planned], reranker: SearchReranker) -> SearchResponse | None:
        """Forwards the searches that do not involve reranking. Returns None if there are none."""
        others = [pair for pair, decision in zip(self.lines, planned, strict=True) if decision is None]
        if not others:
            return None
        data = b"".join(header + b"\n" + body + b"\n" for header, body in others)
        path = f"/{quote(self.call.index, safe=',*-')}/_msearch" if self.call.index else "/_msearch"
        path += "/template" if self.templates else ""
        response = reranker.backend.post_ndjson(self.call, path, data)
        return SearchResponse(response, Outcome(None), response.json)


def _plan(planner: Planner, call: SearchCall, *, use_defaults: bool) -> Planned:
    try:
        return planner.plan(call, default=planner.default_options(call.index) if use_defaults else None)
    except RerankError as exc:
        return exc


def _combine(
    planned: Sequence[Planned], forwarded: SearchResponse | None, reranker: SearchReranker
) -> tuple[SearchResponse, list[Outcome]]:
    """Returns one response with the results of all searches in the order of the request."""
    others = iter(forwarded.json["responses"] if forwarded is not None and forwarded.json is not None else [])
    results: list[Any] = []
    executed: list[SearchResponse] = []
    for decision in planned:
        if decision is None:
            results.append(next(others))
            continue
        result, response = _execute(decision, reranker)
        results.append(result)
        executed += [] if response is None else [response]
    took = max((result.get("took", 0) for result in results if isinstance(result, Mapping)), default=0)
    # The response has one set of headers: those of the first reranked search.
    reranked = (response for response in executed if response.outcome.applied)
    first = next(reranked, executed[0] if executed else forwarded)
    if first is None:
        raise next(decision for decision in planned if isinstance(decision, RerankError))
    backend = replace(first.backend, status=200, reason="OK")
    combined = SearchResponse(backend, first.outcome, {"took": took, "responses": results})
    return combined, [response.outcome for response in executed]


def _execute(planned: Plan | PassThrough | RerankError, reranker: SearchReranker) -> tuple[Any, SearchResponse | None]:
    if isinstance(planned, RerankError):
        return _error_result(planned), None
    try:
        response = reranker.execute(planned)
    except RerankError as exc:
        return _error_result(exc), None
    value = response.json if response.json is not None else response.backend.json
    return {**(value or {}), "status": response.backend.status}, response


def _error_result(error: RerankError) -> dict[str, object]:
    response = error_response(error)
    return {"error": response.body, "status": response.status}


def _param_value(value: object) -> str:
    if isinstance(value, list):
        return ",".join(_param_value(member) for member in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json_headers(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    others = [(name, value) for name, value in headers if name != "content-type"]
    return (*others, ("content-type", json_content_type(headers)))
