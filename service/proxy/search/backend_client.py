"""Client for the server behind the proxy. It sends JSON with the headers of the proxy's client."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from rerank.core.errors import StoreAnswerInvalid
from rerank.service.proxy.connection import OutgoingRequest
from rerank.service.proxy.headers import Headers
from rerank.service.proxy.request import encode_head
from rerank.service.proxy.search.call import SearchCall, json_content_type, parse_json
from rerank.service.proxy.search.hits import HitKey, hits_of, key_of
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.retriever import FirstStage
from rerank.service.proxy.upstream import Upstream

MAX_RESPONSE_BYTES = 256 << 20

_SENT_ONCE = frozenset({"aggs", "aggregations", "suggest", "profile", "track_total_hits"})
"""Keys that the proxy sends with only one of the searches of a fused first stage."""


@dataclass(frozen=True, slots=True)
class BackendResponse:
    """A complete response of the server. `json` is None if the body is not a JSON object."""

    status: int
    reason: str
    headers: Headers
    raw: bytes
    json: Mapping[str, Any] | None


class BackendClient:
    """Client for OpenSearch or Elasticsearch at *upstream*. Methods raise StoreError and ClientDisconnected."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._elasticsearch: bool | None = None

    def request(
        self, call: SearchCall, method: str, target: str, body: Mapping[str, Any] | None = None
    ) -> BackendResponse:
        """Sends *method* on *target* with the headers of *call* and returns the response."""
        headers = list(call.headers)
        if body is None:
            without_type = [(name, value) for name, value in headers if name != "content-type"]
            return self._send(call, method, target, without_type, b"")
        if "content-type" not in dict(headers):
            headers.append(("content-type", json_content_type(call.headers)))
        return self._send(call, method, target, headers, json.dumps(body).encode())

    def post_ndjson(self, call: SearchCall, path: str, lines: bytes) -> BackendResponse:
        """Posts NDJSON with the parameters and headers of *call* and returns the whole response."""
        params = [(name, value) for name, value in call.params if name != "filter_path"]
        target = f"{path}?{urlencode(params)}" if params else path
        return self._send(call, "POST", target, list(call.headers), lines)

    def search(self, call: SearchCall, target: str, body: Mapping[str, Any]) -> BackendResponse:
        """Sends a search and returns the response. Raises StoreAnswerInvalid for status 200 without a JSON object."""
        response = self.request(call, "POST", target, body)
        if response.status == 200 and response.json is None:
            raise StoreAnswerInvalid(
                "the response of the server to a search must be a JSON object. "
                "Check that the setting store is the URL of an OpenSearch server."
            )
        return response

    def fetch_window(self, plan: Plan) -> BackendResponse:
        """Returns the hits that *plan* reranks, from one search or from several combined by rank."""
        stage = plan.first_stage
        if stage is None or len(stage.searches) == 1:
            return self.search(plan.call, plan.target, plan.window_body())
        return self._fetch_fused(plan, stage)

    def is_elasticsearch(self, call: SearchCall) -> bool:
        """Returns True if the server identifies itself as Elasticsearch. The first request determines it."""
        with self._lock:
            known = self._elasticsearch
        if known is None:
            response = self.request(call, "GET", "/")
            known = any(name.lower() == "x-elastic-product" for name, _ in response.headers)
            if response.status == 200:
                with self._lock:
                    self._elasticsearch = known
        return known

    def _send(
        self, call: SearchCall, method: str, target: str, headers: list[tuple[str, str]], data: bytes
    ) -> BackendResponse:
        if data:
            headers = [*headers, ("content-length", str(len(data)))]
        head = encode_head(method, target, self._upstream.address, headers)
        response = self._upstream.send(OutgoingRequest(method, head, data, client=call.client))
        raw = response.read(MAX_RESPONSE_BYTES)
        value = parse_json(raw)
        return BackendResponse(
            response.head.status,
            response.head.reason,
            response.head.headers,
            raw,
            value if isinstance(value, Mapping) else None,
        )

    def _fetch_fused(self, plan: Plan, stage: FirstStage) -> BackendResponse:
        # One search of all clauses yields the total and the aggregations; the searches below yield the hits.
        combined = self.search(plan.call, plan.target, {**plan.window_body(), "size": 0})
        if combined.status != 200 or combined.json is None:
            return combined
        rankings = []
        common = {key: value for key, value in plan.window_body().items() if key not in _SENT_ONCE}
        for search in stage.searches:
            body = {**common, **search, "size": max(stage.window, plan.width)}
            response = self.search(plan.call, plan.target, body)
            hits = hits_of(response.json) if response.json is not None else None
            if response.status != 200 or hits is None:
                return response
            rankings.append(hits)
        outer = {**combined.json["hits"], "hits": _fuse_by_rank(rankings, stage)[: plan.width]}
        return replace(combined, json={**combined.json, "hits": outer})


def _fuse_by_rank(rankings: Sequence[Sequence[Mapping[str, Any]]], stage: FirstStage) -> list[Mapping[str, Any]]:
    """Returns the hits of all *rankings* by the weighted sum of 1 / (constant + rank).

    Hits with equal sums keep the order in which the rankings list them.
    """
    hits: dict[HitKey, Mapping[str, Any]] = {}
    scores: dict[HitKey, float] = {}
    for ranking, weight in zip(rankings, stage.weights, strict=True):
        for rank, hit in enumerate(ranking, start=1):
            key = key_of(hit)
            hits.setdefault(key, hit)
            scores[key] = scores.get(key, 0.0) + weight / (stage.rank_constant + rank)
    best_first = sorted(hits, key=lambda key: -scores[key])
    return [{**hits[key], "_score": scores[key]} for key in best_first]
