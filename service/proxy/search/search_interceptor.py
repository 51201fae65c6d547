"""Interception of searches among the requests that pass through the proxy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rerank.core.errors import RerankError
from rerank.core.search import Reason
from rerank.service.compression import compress_if_accepted
from rerank.service.json_limits import JsonLimits
from rerank.service.patterns import (
    ASYNC_SEARCH_PATH,
    MULTI_SEARCH_PATH,
    MULTI_TEMPLATE_PATH,
    SEARCH_PATH,
    TEMPLATE_PATH,
)
from rerank.service.proxy.request import ClientRequest
from rerank.service.proxy.search.call import SearchCall, decompress_body, parse_json
from rerank.service.proxy.search.multi_search import MultiSearch
from rerank.service.proxy.search.plan import without_rerank_extension
from rerank.service.proxy.search.planning import RERANK_MARKERS, PassThrough, Planner
from rerank.service.proxy.search.reranking import SearchReranker
from rerank.service.proxy.search.search_response import Outcome, SearchResponse
from rerank.service.proxy.search.search_template import rendered
from rerank.service.proxy.search.shadow_mode import ShadowMode
from rerank.service.proxy.search.skip_reason import SkipReason

_log = logging.getLogger(__name__)

Observe = Callable[[Outcome], None]
RequestHeaders = list[tuple[str, str]]
EncodedResponse = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers and body."""


@dataclass(frozen=True, slots=True)
class ProxyDecision:
    """Decision for a request.

    If `response` is set, the proxy returns it. Otherwise it forwards `request` and adds `added_headers` to the
    response of the server.
    """

    request: ClientRequest
    response: EncodedResponse | None = None
    added_headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchInterceptor:
    """Interceptor of searches. It forwards bodies of more than *max_body_bytes* without parsing them."""

    planner: Planner
    reranker: SearchReranker
    shadow: ShadowMode
    observe: Observe
    max_body_bytes: int

    def intercept(self, request: ClientRequest, headers: RequestHeaders) -> ProxyDecision:
        """Returns the decision for *request*, whose forwarded headers are *headers*.

        Raises InvalidRequest, ModelNotFound, StoreError and ClientDisconnected.
        """
        if request.method not in ("GET", "POST"):
            return ProxyDecision(request)
        if "search" not in request.path:
            return ProxyDecision(request)
        if SEARCH_PATH.match(request.path) or TEMPLATE_PATH.match(request.path):
            decide = self._search
        elif MULTI_SEARCH_PATH.match(request.path) or MULTI_TEMPLATE_PATH.match(request.path):
            decide = self._multi_search
        elif ASYNC_SEARCH_PATH.match(request.path):
            decide = self._async_search
        else:
            return ProxyDecision(request)
        request, data = self._read_body(request, headers)
        try:
            return decide(request, headers, data)
        except (RerankError, OSError):
            raise
        except Exception:  # noqa: BLE001
            # An internal error must not fail the client's search: the proxy forwards it unchanged.
            _log.exception("search interception failed, forwarding the request")
            return ProxyDecision(request, added_headers=self._skip(Reason.ERROR))

    def close(self) -> None:
        """Stops shadow mode."""
        self.shadow.close()

    def _search(self, request: ClientRequest, headers: RequestHeaders, data: bytes | None) -> ProxyDecision:
        started = time.perf_counter()
        index = SearchCall.from_request(request, {}, headers).index
        default = self.planner.default_options(index)
        if data is None:
            return ProxyDecision(request, added_headers=self._skip(SkipReason.TOO_LARGE) if default else ())
        template = TEMPLATE_PATH.match(request.path) is not None
        marked = any(mark in data for mark in RERANK_MARKERS) or (template and b'"id"' in data)
        if default is None and not self.shadow.covers(index) and not marked:
            return ProxyDecision(request)
        if JsonLimits.of_body(self.max_body_bytes).exceeded_by(data):
            return ProxyDecision(request, added_headers=self._skip(SkipReason.TOO_LARGE) if default else ())
        body = parse_json(data) if data.strip() else {}
        if not isinstance(body, Mapping):
            return ProxyDecision(request, added_headers=self._skip(SkipReason.NOT_JSON) if default else ())
        search = SearchCall.from_request(request, body, headers)
        call = rendered(self.reranker.backend, search, body) if template else search
        if call is None:
            return ProxyDecision(request)
        planned = self.planner.plan(call, default=None if self.shadow.enabled else default)
        if planned is None:
            self.shadow.submit(call, default)
            return ProxyDecision(request)
        if isinstance(planned, PassThrough) and planned.call.body == body and not template:
            return ProxyDecision(request, added_headers=self._skip(planned.reason, started))
        response = self.reranker.execute(planned)
        self.observe(response.outcome)
        return ProxyDecision(request, _encode(response, call, headers, started))

    def _multi_search(self, request: ClientRequest, headers: RequestHeaders, data: bytes | None) -> ProxyDecision:
        started = time.perf_counter()
        if data is None:
            return ProxyDecision(request)
        use_defaults = not self.shadow.enabled
        marked = any(mark in data for mark in RERANK_MARKERS)
        stored = MULTI_TEMPLATE_PATH.match(request.path) is not None and b'"id"' in data
        relevant = (self.planner.indexes and use_defaults) or marked or stored
        if not relevant or JsonLimits.of_body(self.max_body_bytes).exceeded_by(data):
            return ProxyDecision(request)
        multi = MultiSearch.parse(request, data, headers)
        if multi is None:
            return ProxyDecision(request)
        result = multi.execute(self.planner, self.reranker, use_defaults=use_defaults)
        if result is None:
            return ProxyDecision(request)
        response, outcomes = result
        for outcome in outcomes:
            self.observe(outcome)
        return ProxyDecision(request, _encode(response, multi.call, headers, started))

    def _async_search(self, request: ClientRequest, headers: RequestHeaders, data: bytes | None) -> ProxyDecision:
        """Removes `ext.rerank`, which the server would refuse: the search runs after the response."""
        started = time.perf_counter()
        if data is None or not any(mark in data for mark in RERANK_MARKERS):
            return ProxyDecision(request)
        body = None if JsonLimits.of_body(self.max_body_bytes).exceeded_by(data) else parse_json(data)
        if not isinstance(body, Mapping) or without_rerank_extension(body) == body:
            return ProxyDecision(request)
        call = SearchCall.from_request(request, without_rerank_extension(body), headers)
        response = self.reranker.backend.request(call, request.method, request.target, call.body)
        outcome = Outcome(SkipReason.ASYNC_SEARCH)
        self.observe(outcome)
        return ProxyDecision(request, _encode(SearchResponse(response, outcome), call, headers, started))

    def _read_body(self, request: ClientRequest, headers: RequestHeaders) -> tuple[ClientRequest, bytes | None]:
        request, raw = request.buffer_body(self.max_body_bytes)
        if raw is None:
            return request, None
        return request, decompress_body(raw, dict(headers).get("content-encoding", ""), self.max_body_bytes)

    def _skip(self, reason: Reason | SkipReason, started: float | None = None) -> tuple[tuple[str, str], ...]:
        """Counts a search that is not reranked, and returns the headers that report the reason."""
        outcome = Outcome(reason)
        self.observe(outcome)
        took_ms = 0.0 if started is None else (time.perf_counter() - started) * 1000
        return tuple(outcome.headers(took_ms))


def _encode(response: SearchResponse, call: SearchCall, headers: RequestHeaders, started: float) -> EncodedResponse:
    body, encoding = compress_if_accepted(response.body(call), dict(headers).get("accept-encoding", ""))
    took_ms = (time.perf_counter() - started) * 1000
    status = f"{response.backend.status} {response.backend.reason}"
    return status, [*response.headers(body, took_ms), *encoding], body
