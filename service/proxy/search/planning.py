"""From a search to what is done with it: nothing, passing it on with the reason, or re-ranking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from rerank.core.errors import InvalidRequest, ModelError
from rerank.core.search import Reason, check_query
from rerank.core.settings import ProxyIndexes
from rerank.service.proxy.search.asked import Asked, read_asked
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hit_texts import HitTexts
from rerank.service.proxy.search.inner_retriever import widened
from rerank.service.proxy.search.neural import embedded, has_neural
from rerank.service.proxy.search.objection import objection
from rerank.service.proxy.search.plan import Plan, stripped
from rerank.service.proxy.search.query_text import query_text
from rerank.service.proxy.search.reasons import Unranked
from rerank.service.proxy.search.retriever import RerankRetriever, Retrieval, has_reranker, read_retriever
from rerank.service.proxy.search.server import Server
from rerank.service.proxy.search.text_fields import TextFields

MARKS = (b"rerank", b"neural", b"query_text", b"\\u")
"""One of them is in every body that asks for re-ranking; the last one may hide any other."""


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A search that OpenSearch answers alone: `call` as it understands it, and why."""

    call: SearchCall
    reason: Reason | Unranked


@dataclass(frozen=True, slots=True)
class Planner:
    """What is done with searches. *indexes* are re-ranked without being asked; *encode* embeds a query's text."""

    server: Server
    fields: TextFields
    encode: Callable[[str], Sequence[float]]
    indexes: ProxyIndexes
    depth: int

    def plan(self, call: SearchCall, *, unasked: Asked | None = None) -> Plan | PassedOn | None:
        """What is done with *call*; None where it has nothing to do with re-ranking.

        *unasked* is taken as asked where the client asks for nothing. Raises InvalidRequest, naming the key, for what
        cannot be read of what is asked for, and StoreError.
        """
        ranked_by = self._ranked_by(call)
        asked = self._asked(call, ranked_by) or unasked
        if asked is None:
            return None
        own = call.with_body(stripped(call.body))
        # The words are looked for in the search as its author wrote it.
        text = asked.query_text or query_text(own.body.get("query"), q=call.param("q"))
        retrieval = None if ranked_by is None else ranked_by.retrieval
        start, size = call.number("from", 0) or 0, call.number("size", 10) or 0
        window = asked.window or max(self.depth, start + size)
        try:
            understood, retrieval = self._understood(own, retrieval, max(window, start + size))
        except ModelError:
            return PassedOn(own, Reason.MODEL_UNAVAILABLE)
        against = objection(understood)
        if against is not None:
            return PassedOn(understood, against)
        if text is None or not _readable(text):
            return PassedOn(understood, Unranked.NO_QUERY_TEXT)
        names = asked.fields or self.fields.of(understood)
        if not names:
            return PassedOn(understood, Unranked.NO_TEXT)
        return Plan(understood, asked, text, start, size, window, HitTexts.of(understood, names), retrieval)

    def by_default(self, index: str) -> Asked | None:
        """What is asked for searches of the index expression *index* by the settings."""
        parts = index.split(",")
        fields: dict[str, None] = {}
        for part in parts:
            matching = [names for pattern, names in self.indexes if fnmatchcase(part, pattern)]
            if not matching:
                return None
            fields.update(dict.fromkeys(name for names in matching for name in names))
        return Asked(fields=tuple(fields))

    def _ranked_by(self, call: SearchCall) -> RerankRetriever | None:
        if not has_reranker(call.body):
            return None
        return read_retriever(call.body, elasticsearch=self.server.is_elasticsearch(call))

    def _asked(self, call: SearchCall, ranked_by: RerankRetriever | None) -> Asked | None:
        ext = call.body.get("ext")
        if isinstance(ext, Mapping) and "rerank" in ext:
            asked = read_asked(call.body)
            if ranked_by is None:
                return asked
            given = ranked_by.asked
            return replace(
                asked,
                query_text=asked.query_text or given.query_text,
                fields=asked.fields or given.fields,
                window=asked.window or given.window,
                min_score=given.min_score if asked.min_score is None else asked.min_score,
                by_chunk=given.by_chunk,
            )
        if ranked_by is not None:
            return ranked_by.asked
        return Asked() if has_neural(call.body.get("query")) else None

    def _understood(
        self, call: SearchCall, retrieval: Retrieval | None, width: int
    ) -> tuple[SearchCall, Retrieval | None]:
        """*call* as the server understands it: no retriever where it knows none, vectors in place of texts."""
        body: dict[str, Any] = dict(call.body)
        neural = has_neural(body.get("query")) or (retrieval is not None and has_neural(list(retrieval.searches)))
        if not neural and retrieval is None:
            return call, None
        elasticsearch = self.server.is_elasticsearch(call)
        if retrieval is not None and elasticsearch:
            return call.with_body({**body, "retriever": widened(retrieval.inner, width)}), None

        def by_vector(clause: Any) -> Any:
            return embedded(clause, self.encode, window=width, elasticsearch=elasticsearch)

        if retrieval is None:
            return call.with_body({**body, "query": by_vector(body["query"])}), None
        del body["retriever"]
        retrieval = replace(retrieval, searches=tuple(by_vector(search) for search in retrieval.searches))
        if len(retrieval.searches) == 1:
            return call.with_body({**body, **retrieval.searches[0]}), retrieval
        either = {"bool": {"should": [search["query"] for search in retrieval.searches]}}
        return call.with_body({**body, "query": either}), retrieval


def _readable(text: str) -> bool:
    try:
        check_query(text)
    except InvalidRequest:
        return False
    return True
