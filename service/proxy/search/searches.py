"""Searches among the requests that pass: which are looked at, and what is answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rerank.core.errors import RerankError
from rerank.core.search import Reason
from rerank.service.compression import compress_if_accepted
from rerank.service.proxy.request import ClientRequest
from rerank.service.proxy.search.call import MULTI_SEARCH, SEARCH, SearchCall, parsed, plain_bytes
from rerank.service.proxy.search.composing import Composed, Outcome
from rerank.service.proxy.search.multi import MultiSearch
from rerank.service.proxy.search.planning import MARKS, PassedOn, Planner
from rerank.service.proxy.search.reasons import Unranked
from rerank.service.proxy.search.reranking import SearchReranking
from rerank.service.proxy.search.shadow import Shadow

_log = logging.getLogger(__name__)

Observe = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of a request that was looked at.

    `request` can be sent on as it came; `answer` is given where it is answered here: status line, headers, body.
    `added` are headers for the server's own answer.
    """

    request: ClientRequest
    answer: tuple[str, list[tuple[str, str]], bytes] | None = None
    added: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Searches:
    """Looks at searches. A body of more than *limit* bytes is passed on unread."""

    planner: Planner
    reranking: SearchReranking
    shadow: Shadow
    observe: Observe
    limit: int

    def look(self, request: ClientRequest, headers: list[tuple[str, str]]) -> Looked:
        """Answer *request* where it is a search to be re-ranked; *headers* are those that go on.

        Raises InvalidRequest, ModelNotFound, StoreError and ClientGone.
        """
        if request.method not in ("GET", "POST"):
            return Looked(request)
        if SEARCH.match(request.path):
            answered = self._search
        elif MULTI_SEARCH.match(request.path):
            answered = self._multi_search
        else:
            return Looked(request)
        request, data = self._read(request, headers)
        try:
            return answered(request, headers, data)
        except (RerankError, OSError):
            raise
        except Exception:  # noqa: BLE001
            # A fault of ours must not cost a client its search: OpenSearch gets it as it came.
            _log.exception("a search could not be looked at, and is passed on")
            return Looked(request, added=self._unranked(Reason.ERROR))

    def _search(self, request: ClientRequest, headers: list[tuple[str, str]], data: bytes | None) -> Looked:
        started = time.perf_counter()
        index = SearchCall.read(request, {}, headers).index
        default = self.planner.by_default(index)
        if data is None:
            return Looked(request, added=self._unranked(Unranked.TOO_LARGE) if default else ())
        if default is None and not self.shadow.watches(index) and not any(mark in data for mark in MARKS):
            return Looked(request)
        body = parsed(data) if data.strip() else {}
        if not isinstance(body, Mapping):
            return Looked(request, added=self._unranked(Unranked.NOT_JSON) if default else ())
        call = SearchCall.read(request, body, headers)
        planned = self.planner.plan(call, unasked=None if self.shadow.instead else default)
        if planned is None:
            self.shadow.cast(call, default)
            return Looked(request)
        if isinstance(planned, PassedOn) and planned.call.body == body:
            return Looked(request, added=self._unranked(planned.reason, started))
        composed = self.reranking.answer(planned)
        self.observe(composed.outcome)
        return Looked(request, answer=_answer(composed, call, headers, started))

    def _multi_search(self, request: ClientRequest, headers: list[tuple[str, str]], data: bytes | None) -> Looked:
        started = time.perf_counter()
        if data is None:
            return Looked(request)
        multi = MultiSearch.read(request, data, headers)
        asked = self.planner.indexes and not self.shadow.instead
        if multi is None or not (asked or any(mark in data for mark in MARKS)):
            return Looked(request)
        answered = multi.answer(self.planner, self.reranking, defaults=not self.shadow.instead)
        if answered is None:
            return Looked(request)
        composed, outcomes = answered
        for outcome in outcomes:
            self.observe(outcome)
        return Looked(request, answer=_answer(composed, multi.call, headers, started))

    def _read(self, request: ClientRequest, headers: list[tuple[str, str]]) -> tuple[ClientRequest, bytes | None]:
        request, raw = request.buffered(self.limit)
        if raw is None:
            return request, None
        return request, plain_bytes(raw, dict(headers).get("content-encoding", ""), self.limit)

    def _unranked(self, reason: Any, started: float | None = None) -> tuple[tuple[str, str], ...]:
        outcome = Outcome(reason)
        self.observe(outcome)
        took = 0.0 if started is None else (time.perf_counter() - started) * 1000
        return tuple(outcome.headers(took))


def _answer(
    composed: Composed, call: SearchCall, headers: list[tuple[str, str]], started: float
) -> tuple[str, list[tuple[str, str]], bytes]:
    body, encoding = compress_if_accepted(composed.body(call), dict(headers).get("accept-encoding", ""))
    took_ms = (time.perf_counter() - started) * 1000
    status = f"{composed.fetched.status} {composed.fetched.reason}"
    return status, [*composed.headers(body, took_ms), *encoding], body
