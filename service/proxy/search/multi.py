"""`_msearch`: searches line by line, each re-ranked or passed on by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from rerank.core.errors import RerankError
from rerank.service.errors import error_response
from rerank.service.proxy.connection import ClientGone
from rerank.service.proxy.request import ClientRequest
from rerank.service.proxy.search.call import MULTI_SEARCH, SearchCall, json_type, parsed, plain
from rerank.service.proxy.search.composing import Composed, Outcome
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.planning import PassedOn, Planner
from rerank.service.proxy.search.reranking import SearchReranking

_HEADER_KEYS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards", "preference", "routing", "search_type")
_ADDRESS_KEYS = ("rest_total_hits_as_int", "typed_keys", "ccs_minimize_roundtrips")
Planned = Plan | PassedOn | RerankError | None


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """The searches of one request. `call` is the request itself, with no body; `lines` are header and body of each,
    as they came."""

    call: SearchCall
    lines: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def read(cls, request: ClientRequest, data: bytes, headers: list[tuple[str, str]]) -> MultiSearch | None:
        """From a request for a path of MULTI_SEARCH; None for a body that cannot be read: the server says why."""
        found = MULTI_SEARCH.match(request.path)
        index = unquote((found.group(1) if found else None) or "")
        params = tuple(parse_qsl(request.query, keep_blank_values=True))
        call = SearchCall(index, params, {}, plain(headers), request.environ.get("gunicorn.socket"))
        lines = data.removesuffix(b"\n").split(b"\n")
        if len(lines) % 2 or not data.endswith(b"\n"):
            return None
        return cls(call, tuple(zip(lines[::2], lines[1::2], strict=True)))

    def answer(
        self, planner: Planner, reranking: SearchReranking, *, defaults: bool
    ) -> tuple[Composed, list[Outcome]] | None:
        """The answers in the searches' order; None where none of them has to do with re-ranking.

        What is not re-ranked goes to the server in one request, as it came. Raises StoreError and ClientGone.
        """
        planned: list[Planned] = []
        for header, body in self.lines:
            call = self._one(header, body)
            planned.append(None if call is None else self._planned(planner, call, defaults=defaults))
        if all(one is None for one in planned):
            return None
        base = self._passed_on(planned, reranking)
        if base is not None and (base.fetched.status != 200 or base.json is None):
            return base, []
        rest = list(base.json["responses"]) if base is not None and base.json is not None else []
        return self._together(planned, rest, base, reranking)

    def _planned(self, planner: Planner, call: SearchCall, *, defaults: bool) -> Planned:
        try:
            return planner.plan(call, unasked=planner.by_default(call.index) if defaults else None)
        except RerankError as exc:
            return exc

    def _one(self, header: bytes, body: bytes) -> SearchCall | None:
        """The search of two lines, as a request of its own; None for what cannot be read."""
        head = parsed(header) if header.strip() else {}
        value = parsed(body)
        if not isinstance(head, Mapping) or not isinstance(value, Mapping):
            return None
        index = head.get("index", self.call.index)
        if isinstance(index, list):
            index = ",".join(str(name) for name in index)
        params = [(key, _spelled(head[key])) for key in _HEADER_KEYS if key in head]
        params += [(name, text) for name, text in self.call.params if name in _ADDRESS_KEYS]
        return SearchCall(str(index or ""), tuple(params), value, _as_json(self.call.headers), self.call.client)

    def _passed_on(self, planned: Sequence[Planned], reranking: SearchReranking) -> Composed | None:
        """The server's answer to those that are none of ours."""
        own = [pair for pair, one in zip(self.lines, planned, strict=True) if one is None]
        if not own:
            return None
        data = b"".join(header + b"\n" + body + b"\n" for header, body in own)
        path = f"/{self.call.index}/_msearch" if self.call.index else "/_msearch"
        fetched = reranking.server.send_lines(self.call, path, data)
        return Composed(fetched, Outcome(None), fetched.json)

    def _together(
        self,
        planned: Sequence[Planned],
        rest: list[Any],
        base: Composed | None,
        reranking: SearchReranking,
    ) -> tuple[Composed, list[Outcome]]:
        responses: list[Any] = []
        answers: list[Composed] = []
        for one in planned:
            if one is None:
                responses.append(rest.pop(0))
                continue
            response, composed = _answered(one, reranking)
            responses.append(response)
            answers += [] if composed is None else [composed]
        took = max((each.get("took", 0) for each in responses if isinstance(each, Mapping)), default=0)
        outcomes = [each.outcome for each in answers]
        shown = next((each for each in answers if each.outcome.applied), answers[0] if answers else base)
        if shown is None:
            raise next(one for one in planned if isinstance(one, RerankError))
        return Composed(shown.fetched_as(200, "OK"), shown.outcome, {"took": took, "responses": responses}), outcomes


def _answered(one: Plan | PassedOn | RerankError, reranking: SearchReranking) -> tuple[Any, Composed | None]:
    if isinstance(one, RerankError):
        refusal = error_response(one)
        return {"error": refusal.body, "status": refusal.status}, None
    try:
        composed = reranking.answer(one)
    except ClientGone:
        raise
    except RerankError as exc:
        refusal = error_response(exc)
        return {"error": refusal.body, "status": refusal.status}, None
    value = composed.json if composed.json is not None else composed.fetched.json
    return {**(value or {}), "status": composed.fetched.status}, composed


def _spelled(value: object) -> str:
    if isinstance(value, list):
        return ",".join(_spelled(member) for member in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_json(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    kept = [(name, value) for name, value in headers if name != "content-type"]
    return (*kept, ("content-type", json_type(headers)))
