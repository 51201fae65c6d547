"""The answer to a search that went through us: the server's own, with its hits in our order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from rerank.core.search import Reason, RerankReport
from rerank.service.proxy.headers import of_answer
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.filter_path import FilterPath
from rerank.service.proxy.search.hits import Placed, key_of
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.reasons import Unranked
from rerank.service.proxy.search.server import Fetched

_BODY_HEADERS = frozenset({"content-length", "content-encoding"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of re-ranking a search. `report` None: it was never begun."""

    reason: Reason | Unranked | None
    report: RerankReport | None = None

    @property
    def applied(self) -> bool:
        """Whether the cross-encoder had a say in the order."""
        return self.report is not None and self.report.applied

    @property
    def said_reason(self) -> Reason | Unranked | None:
        """Why not, or why not wholly."""
        return self.reason or (self.report.reason if self.report is not None else None)

    def to_json(self) -> dict[str, object]:
        """As `_rerank` of an answer."""
        report = self.report or RerankReport(applied=False, reason=None, model=None, candidates=0)
        reason = self.said_reason
        return {**report.to_json(), "reason": None if reason is None else str(reason)}

    def headers(self, took_ms: float) -> list[tuple[str, str]]:
        """The four headers of every answer that could have been re-ranked."""
        model = self.report.model if self.report is not None else None
        return [
            ("x-rerank-applied", "true" if self.applied else "false"),
            ("x-rerank-reason", str(self.said_reason or "")),
            ("x-rerank-model", quote(model or "", safe="/:@+=,; ()")),
            ("x-rerank-took", f"{took_ms:.3f}"),
        ]


@dataclass(frozen=True, slots=True)
class Composed:
    """An answer before it is written: `json` None where the server's own bytes are the answer."""

    fetched: Fetched
    outcome: Outcome
    json: Mapping[str, Any] | None = None

    def fetched_as(self, status: int, reason: str) -> Fetched:
        """The server's answer under another status."""
        return replace(self.fetched, status=status, reason=reason)

    def body(self, call: SearchCall) -> bytes:
        """The bytes of the answer, laid out as *call* wants."""
        if self.json is None:
            return self.fetched.raw
        path = call.param("filter_path")
        shown = self.json if path is None else FilterPath.parse(path).of(dict(self.json))
        return written(shown, pretty=call.param("pretty") is not None and call.flag("pretty"))

    def headers(self, body: bytes, took_ms: float) -> list[tuple[str, str]]:
        """The server's headers and ours."""
        kept = [(name, value) for name, value in of_answer(self.fetched.headers) if name.lower() not in _BODY_HEADERS]
        return [*kept, ("content-length", str(len(body))), *self.outcome.headers(took_ms)]


def written(value: Mapping[str, Any], *, pretty: bool = False) -> bytes:
    """JSON in the server's manner. A lone surrogate stays escaped."""
    if pretty:
        return json.dumps(value, indent=2, separators=(",", " : "), ensure_ascii=True).encode() + b"\n"
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def ranked_page(
    plan: Plan, fetched: Fetched, page: Sequence[Placed], outcome: Outcome, *, total: Any = None
) -> Composed:
    """The hits of *page* in its order, out of those *fetched*; one that is gone meanwhile is left out."""
    answer = fetched.json or {}
    by_key = {key_of(hit): hit for hit in answer["hits"]["hits"]}
    hits = [entry.on(plan.texts.without(by_key[entry.key])) for entry in page if entry.key in by_key]
    outer = {**answer["hits"], "max_score": hits[0]["_score"] if hits else None, "hits": hits}
    if total is not None and "total" in outer:
        outer["total"] = total
    return Composed(fetched, outcome, {**answer, "hits": outer, "_rerank": outcome.to_json()})


def own_page(plan: Plan, fetched: Fetched, outcome: Outcome) -> Composed:
    """The client's page in the server's own order, with the server's own scores."""
    answer = fetched.json or {}
    page = answer["hits"]["hits"][plan.start : plan.start + plan.size]
    outer = {**answer["hits"], "hits": [plan.texts.without(hit) for hit in page]}
    return Composed(fetched, outcome, {**answer, "hits": outer, "_rerank": outcome.to_json()})
