"""Decision for each search: ignore it, pass it through with a reason, or rerank it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rerank.core.errors import InvalidRequest, ModelError
from rerank.core.search import Reason, check_query
from rerank.core.setting_types import ProxyIndexes
from rerank.service.proxy.search.backend_client import BackendClient
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.eligibility import skip_reason
from rerank.service.proxy.search.hit_texts import HitTexts
from rerank.service.proxy.search.inner_retriever import with_min_window
from rerank.service.proxy.search.neural import has_neural, with_vectors
from rerank.service.proxy.search.plan import Plan, is_disabled, without_rerank_extension
from rerank.service.proxy.search.query_text import query_text
from rerank.service.proxy.search.rerank_options import RerankOptions, parse_rerank_options
from rerank.service.proxy.search.retriever import FirstStage, RerankRetriever, has_reranker, parse_retriever
from rerank.service.proxy.search.searched_fields import SearchedFields
from rerank.service.proxy.search.skip_reason import SkipReason
from rerank.service.proxy.search.text_fields import TextFields
from rerank.service.proxy.search.wildcard import matches_wildcard

RERANK_MARKERS = (b"rerank", b"neural", b"query_text", b"\\u")
"""Every body that requests reranking contains one of these. An escape sequence could hide the others."""


@dataclass(frozen=True, slots=True)
class PassThrough:
    """A search that is not reranked. `call` is the search in a form that OpenSearch understands."""

    call: SearchCall
    reason: Reason | SkipReason


@dataclass(frozen=True, slots=True)
class Planner:
    """Planner of searches. Plain searches of *indexes* are reranked too; *encode* returns the vector of a text."""

    backend: BackendClient
    fields: TextFields
    encode: Callable[[str], Sequence[float]]
    indexes: ProxyIndexes
    depth: int

    def plan(self, call: SearchCall, *, default: RerankOptions | None = None) -> Plan | PassThrough | None:
        """Returns the decision for *call*, or None if the search does not involve reranking.

        *default* applies if the search has no options of its own. Raises InvalidRequest, which names the key, for
        invalid options, and StoreError.
        """
        plain = call.with_body(without_rerank_extension(call.body))
        if is_disabled(call.body):
            return PassThrough(plain, Reason.DISABLED)
        retriever = self._retriever(call)
        options = self._options(call, retriever) or default
        if options is None:
            return None
        # The query text comes from the original clauses: vectors replace some of the texts below.
        text = options.query_text or query_text(plain.body.get("query"), q=call.param("q"))
        first_stage = None if retriever is None else retriever.first_stage
        start, size = call.number("from", 0) or 0, call.number("size", 10) or 0
        window = options.window or max(self.depth, start + size)
        if call.param("scroll") is not None:
            # The server continues after the hits that it returned, so the first page is the whole window.
            window = min(window, size)
        try:
            converted, first_stage = self._convert(plain, first_stage, max(window, start + size))
        except ModelError:
            return PassThrough(plain, Reason.MODEL_UNAVAILABLE)
        # Programs that read a whole index scroll, too. They do not ask for reranking.
        fused = first_stage is not None and len(first_stage.searches) > 1
        reason = skip_reason(converted, scrolls=options is not default and not fused)
        if reason is not None:
            return PassThrough(converted, reason)
        if text is None or not _is_valid_query(text):
            return PassThrough(converted, SkipReason.NO_QUERY_TEXT)
        names = options.fields or self.fields.of(converted).scored(_searched_fields(plain, first_stage))
        if not names:
            return PassThrough(converted, SkipReason.NO_TEXT)
        texts = HitTexts.for_search(converted, names, prose_only=not options.fields)
        return Plan(converted, options, text, start, size, window, texts, first_stage)

    def default_options(self, index: str) -> RerankOptions | None:
        """Returns the options that the settings define for the index expression *index*.

        Returns None unless the settings cover every part of the expression.
        """
        fields: dict[str, None] = {}
        for part in index.split(","):
            matching = [names for pattern, names in self.indexes if matches_wildcard(part, pattern)]
            if not matching:
                return None
            fields.update(dict.fromkeys(name for names in matching for name in names))
        return RerankOptions(fields=tuple(fields))

    def _retriever(self, call: SearchCall) -> RerankRetriever | None:
        if not has_reranker(call.body):
            return None
        return parse_retriever(call.body, elasticsearch=self.backend.is_elasticsearch(call))

    def _options(self, call: SearchCall, retriever: RerankRetriever | None) -> RerankOptions | None:
        ext = call.body.get("ext")
        if isinstance(ext, Mapping) and "rerank" in ext:
            options = parse_rerank_options(call.body)
            if retriever is None:
                return options
            fallback = retriever.options
            return replace(
                options,
                query_text=options.query_text or fallback.query_text,
                fields=options.fields or fallback.fields,
                window=options.window or fallback.window,
                min_score=fallback.min_score if options.min_score is None else options.min_score,
                best_chunk=fallback.best_chunk,
            )
        if retriever is not None:
            return retriever.options
        return RerankOptions() if has_neural(call.body.get("query")) else None

    def _convert(
        self, call: SearchCall, first_stage: FirstStage | None, width: int
    ) -> tuple[SearchCall, FirstStage | None]:
        """Returns *call* in a form that the server understands.

        Vectors replace the texts of `neural` clauses. For OpenSearch, which has no retrievers, a query replaces the
        retriever.
        """
        body: dict[str, Any] = dict(call.body)
        neural = has_neural(body.get("query")) or (first_stage is not None and has_neural(list(first_stage.searches)))
        if not neural and first_stage is None:
            return call, None
        elasticsearch = self.backend.is_elasticsearch(call)
        if first_stage is not None and elasticsearch:
            return call.with_body({**body, "retriever": with_min_window(first_stage.inner, width)}), None

        def convert(clause: Any) -> Any:
            return with_vectors(clause, self.encode, window=width, elasticsearch=elasticsearch)

        if first_stage is None:
            return call.with_body({**body, "query": convert(body["query"])}), None
        del body["retriever"]
        first_stage = replace(first_stage, searches=tuple(convert(search) for search in first_stage.searches))
        if len(first_stage.searches) == 1:
            return call.with_body({**body, **first_stage.searches[0]}), first_stage
        any_search = {"bool": {"should": [search["query"] for search in first_stage.searches]}}
        return call.with_body({**body, "query": any_search}), first_stage


def _searched_fields(call: SearchCall, first_stage: FirstStage | None) -> SearchedFields:
    queries = [search.get("query") for search in first_stage.searches] if first_stage else [call.body.get("query")]
    return SearchedFields.of(queries, q=call.param("q"), df=call.param("df"))


def _is_valid_query(text: str) -> bool:
    try:
        check_query(text)
    except InvalidRequest:
        return False
    return True
