"""Asking the server on a client's behalf: JSON there and back, with the client's own headers."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from rerank.core.errors import StoreAnswerInvalid
from rerank.service.proxy.connection import Exchange
from rerank.service.proxy.headers import Headers
from rerank.service.proxy.request import head_of
from rerank.service.proxy.search.call import SearchCall, json_type, parsed
from rerank.service.proxy.search.hits import HitKey, hits_of, key_of
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.retriever import Retrieval
from rerank.service.proxy.upstream import Upstream

MAX_ANSWER_BYTES = 256 << 20

_SEARCHED_ONCE = frozenset({"aggs", "aggregations", "suggest", "profile", "track_total_hits"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of the server's, read whole. `json` is None where it is no object."""

    status: int
    reason: str
    headers: Headers
    raw: bytes
    json: Mapping[str, Any] | None


class Server:
    """The server behind *upstream*. Every method raises StoreError as the upstream does, and ClientGone."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._elasticsearch: bool | None = None

    def ask(self, call: SearchCall, method: str, target: str, body: Mapping[str, Any] | None = None) -> Fetched:
        """The answer to *method* on *target*, with the headers of *call*."""
        headers = list(call.headers)
        if body is None:
            return self._exchange(call, method, target, [each for each in headers if each[0] != "content-type"], b"")
        if "content-type" not in dict(headers):
            headers.append(("content-type", json_type(call.headers)))
        return self._exchange(call, method, target, headers, json.dumps(body).encode())

    def send_lines(self, call: SearchCall, path: str, lines: bytes) -> Fetched:
        """The answer to a POST of NDJSON, whole, with the parameters and headers of *call*."""
        kept = [(name, value) for name, value in call.params if name != "filter_path"]
        target = f"{path}?{urlencode(kept)}" if kept else path
        return self._exchange(call, "POST", target, list(call.headers), lines)

    def _exchange(
        self, call: SearchCall, method: str, target: str, headers: list[tuple[str, str]], data: bytes
    ) -> Fetched:
        if data:
            headers = [*headers, ("content-length", str(len(data)))]
        head = head_of(method, target, self._upstream.address, headers)
        answer = self._upstream.ask(Exchange(method, head, data, client=call.client))
        raw = answer.read(MAX_ANSWER_BYTES)
        value = parsed(raw)
        head_of_answer = answer.head
        return Fetched(
            head_of_answer.status,
            head_of_answer.reason,
            head_of_answer.headers,
            raw,
            value if isinstance(value, Mapping) else None,
        )

    def search(self, call: SearchCall, target: str, body: Mapping[str, Any]) -> Fetched:
        """The answer to a search. Raises StoreAnswerInvalid for one that says it is fine and is no JSON."""
        fetched = self.ask(call, "POST", target, body)
        if fetched.status == 200 and fetched.json is None:
            raise StoreAnswerInvalid(
                "the server answered a search with something that is no JSON object; "
                "check that the store's address leads to an OpenSearch"
            )
        return fetched

    def window(self, plan: Plan) -> Fetched:
        """The hits that *plan* re-ranks: those of its search, or of several, fused by rank."""
        retrieval = plan.retrieval
        if retrieval is None or len(retrieval.searches) == 1:
            return self.search(plan.call, plan.target, plan.widened())
        return self._fused(plan, retrieval)

    def is_elasticsearch(self, call: SearchCall) -> bool:
        """Whether the server says that it is an Elasticsearch; asked once."""
        with self._lock:
            known = self._elasticsearch
        if known is None:
            fetched = self.ask(call, "GET", "/")
            known = any(name.lower() == "x-elastic-product" for name, _ in fetched.headers)
            if fetched.status == 200:
                with self._lock:
                    self._elasticsearch = known
        return known

    def _fused(self, plan: Plan, retrieval: Retrieval) -> Fetched:
        whole = self.search(plan.call, plan.target, {**plan.widened(), "size": 0})
        if whole.status != 200 or whole.json is None:
            return whole
        legs = []
        shared = {key: value for key, value in plan.widened().items() if key not in _SEARCHED_ONCE}
        for search in retrieval.searches:
            leg = self.search(plan.call, plan.target, {**shared, **search, "size": max(retrieval.window, plan.width)})
            hits = hits_of(leg.json) if leg.json is not None else None
            if leg.status != 200 or hits is None:
                return leg
            legs.append(hits)
        outer = {**whole.json["hits"], "hits": _by_rank(legs, retrieval)[: plan.width]}
        return Fetched(whole.status, whole.reason, whole.headers, whole.raw, {**whole.json, "hits": outer})


def _by_rank(legs: Sequence[Sequence[Mapping[str, Any]]], retrieval: Retrieval) -> list[Mapping[str, Any]]:
    """The hits of all *legs*, by the weighted sum of 1 / (constant + rank); equal ones as they were found."""
    found: dict[HitKey, Mapping[str, Any]] = {}
    scores: dict[HitKey, float] = {}
    for leg, weight in zip(legs, retrieval.weights, strict=True):
        for rank, hit in enumerate(leg, start=1):
            key = key_of(hit)
            found.setdefault(key, hit)
            scores[key] = scores.get(key, 0.0) + weight / (retrieval.rank_constant + rank)
    best_first = sorted(found, key=lambda key: -scores[key])
    return [{**found[key], "_score": scores[key]} for key in best_first]
