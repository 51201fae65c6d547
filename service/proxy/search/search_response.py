"""Responses to searches: the response of the server with its hits in the reranked order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rerank.core.search import Reason, RerankReport
from rerank.service.proxy.headers import forwarded_response_headers
from rerank.service.proxy.search.backend_client import BackendResponse
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.filter_path import FilterPath
from rerank.service.proxy.search.hits import RankedHit, key_of
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.skip_reason import SkipReason
from rerank.service.rerank_headers import rerank_headers

_BODY_HEADERS = frozenset({"content-length", "content-encoding"})
_NOT_RERANKED = RerankReport(applied=False, reason=None, model=None, candidates=0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of reranking a search. `report` is None if the reranker was not called. `fields`: the scored fields."""

    reason: Reason | SkipReason | None
    report: RerankReport | None = None
    fields: tuple[str, ...] = ()

    @property
    def applied(self) -> bool:
        """True if the scores of the cross-encoder determined the order."""
        return self.report is not None and self.report.applied

    @property
    def effective_reason(self) -> Reason | SkipReason | None:
        """Reason why reranking did not happen or is incomplete."""
        return self.reason or (self.report.reason if self.report is not None else None)

    def to_json(self) -> dict[str, object]:
        """Returns the object `_rerank` of a response."""
        reason = self.effective_reason
        report = (self.report or _NOT_RERANKED).to_json()
        return {**report, "reason": None if reason is None else str(reason), "fields": list(self.fields)}

    def headers(self, took_ms: float) -> list[tuple[str, str]]:
        """Returns the headers that report the outcome. x-rerank-fields is absent if no field was scored."""
        headers = rerank_headers(self.report or _NOT_RERANKED, took_ms=took_ms)
        headers = {**headers, "x-rerank-reason": str(self.effective_reason or "")}
        if self.fields:
            # Field names may have any characters, headers only ASCII.
            headers["x-rerank-fields"] = ",".join(quote(name, safe="*._-@ ") for name in self.fields)
        return list(headers.items())


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """A response before encoding. If `json` is None, the client receives the body of the server unchanged."""

    backend: BackendResponse
    outcome: Outcome
    json: Mapping[str, Any] | None = None

    def body(self, call: SearchCall) -> bytes:
        """Returns the encoded body in the format that the parameters of *call* request."""
        if self.json is None:
            return self.backend.raw
        path = call.param("filter_path")
        value = self.json if path is None else FilterPath.parse(path).apply(dict(self.json))
        return encode_json(value, pretty=call.param("pretty") is not None and call.flag("pretty"))

    def headers(self, body: bytes, took_ms: float) -> list[tuple[str, str]]:
        """Returns the headers of the server and those of reranking."""
        forwarded = forwarded_response_headers(self.backend.headers)
        headers = [(name, value) for name, value in forwarded if name.lower() not in _BODY_HEADERS]
        return [*headers, ("content-length", str(len(body))), *self.outcome.headers(took_ms)]


def encode_json(value: Mapping[str, Any], *, pretty: bool = False) -> bytes:
    """Returns *value* as JSON in OpenSearch's layout. Lone surrogates are escaped."""
    if pretty:
        return json.dumps(value, indent=2, separators=(",", " : "), ensure_ascii=True).encode() + b"\n"
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def reranked_page(
    plan: Plan, response: BackendResponse, page: Sequence[RankedHit], outcome: Outcome, *, total: Any = None
) -> SearchResponse:
    """Returns *response* with the hits of *page*, in that order. Omits hits that *response* lacks."""
    json = response.json or {}
    by_key = {key_of(hit): hit for hit in json["hits"]["hits"]}
    hits = [entry.add_to(plan.texts.remove_from(by_key[entry.key])) for entry in page if entry.key in by_key]
    outer = {**json["hits"], "max_score": hits[0]["_score"] if hits else None, "hits": hits}
    if total is not None and "total" in outer:
        outer["total"] = total
    return SearchResponse(response, outcome, {**json, "hits": outer, "_rerank": outcome.to_json()})


def original_page(plan: Plan, response: BackendResponse, outcome: Outcome) -> SearchResponse:
    """Returns *response* with the client's page in first-stage order and with first-stage scores."""
    json = response.json or {}
    page = json["hits"]["hits"][plan.start : plan.start + plan.size]
    outer = {**json["hits"], "hits": [plan.texts.remove_from(hit) for hit in page]}
    return SearchResponse(response, outcome, {**json, "hits": outer, "_rerank": outcome.to_json()})
