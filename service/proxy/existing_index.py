"""Searches of an index that rerank did not build, for measurements: planned, sent and read as the proxy does it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from rerank.core.errors import IndexNotFound, InvalidInput, StoreAnswerInvalid, StoreError
from rerank.core.first_stage import Retrieved
from rerank.core.latency import Stopwatch
from rerank.core.protocols import Encoder
from rerank.core.ranking import RankingModels
from rerank.core.retrieval import RetrievalOptions
from rerank.core.search import Candidate
from rerank.core.settings import Settings
from rerank.core.text_similarity import TextSimilarity
from rerank.service.proxy.address import Address
from rerank.service.proxy.query_template import QueryTemplate
from rerank.service.proxy.search.backend_client import BackendClient, BackendResponse
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hits import candidates_of, hits_of
from rerank.service.proxy.search.plan import Plan
from rerank.service.proxy.search.planning import PassThrough, Planner
from rerank.service.proxy.search.rerank_options import RerankOptions
from rerank.service.proxy.search.text_fields import TextFields
from rerank.service.proxy.upstream import Upstream

MODE = "query"
_PROBE = "rerank"
"""Query that checks a template before any model is loaded."""


@dataclass(frozen=True, slots=True)
class ExistingIndex:
    """Index expression in the cluster of the setting `store`, and how it is searched.

    indexes: names of the indexes that the expression resolves to. fields: fields to score; none leaves the choice to
    the proxy. With several indexes, the id of a document is `INDEX/_id`.
    """

    name: str
    indexes: tuple[str, ...]
    fields: tuple[str, ...]
    template: QueryTemplate
    backend: BackendClient
    headers: tuple[tuple[str, str], ...]

    def call(self, body: Mapping[str, Any]) -> SearchCall:
        """Returns the search of the index with *body*."""
        return SearchCall(self.name, (), body, self.headers)

    def plan(self, planner: Planner, query: str) -> Plan:
        """Returns the proxy's plan for *query*. Raises InvalidInput if the proxy would not rerank the search."""
        plan = planner.plan(self.call(self.template.fill(query)), default=RerankOptions(fields=self.fields))
        if isinstance(plan, Plan):
            return plan
        reason = plan.reason if isinstance(plan, PassThrough) else None
        raise InvalidInput(
            f'the proxy would not rerank the search for "{query}" in index "{self.name}" (reason: {reason}).'
            " docs/proxy.md lists the reasons. Correct --fields or --query-template."
        )

    def doc_id(self, hit: Mapping[str, Any]) -> str:
        """Returns the id of *hit* in judgments."""
        return str(hit["_id"]) if len(self.indexes) == 1 else f"{hit['_index']}/{hit['_id']}"

    def checked(self, response: BackendResponse) -> BackendResponse:
        """Returns *response*. Raises StoreError with the server's reason unless its status is 200."""
        if response.status == 200:
            return response
        raise StoreError(
            f'OpenSearch refused a search of index "{self.name}": {response.status} {_reason(response)}. '
            "Correct --index, --fields or --query-template."
        )


@contextmanager
def existing_index(
    settings: Settings, name: str, *, fields: Sequence[str] = (), template: QueryTemplate | None = None
) -> Iterator[ExistingIndex]:
    """Opens the index expression *name* in the cluster of *settings* and closes the connections at the end.

    Raises IndexNotFound without a matching index, InvalidInput for a field that no index has, and StoreError.
    """
    upstream = Upstream(Address.parse(settings.store), timeout=settings.proxy_timeout_s)
    try:
        backend, headers = BackendClient(upstream), _credentials(settings.store)
        call = SearchCall(name, (), {}, headers)
        indexes = _indexes(backend, call, address=str(upstream.address))
        if fields:
            _check_fields(backend, call, fields)
        yield ExistingIndex(
            name, indexes, tuple(fields), template or QueryTemplate.over_fields(fields), backend, headers
        )
    finally:
        upstream.close()


@dataclass(frozen=True)
class ExistingIndexSearches:
    """Searches over one existing index, with the models that rerank them."""

    existing: ExistingIndex
    encoder: Encoder
    models: RankingModels
    similarity: TextSimilarity

    def first_stage(self, index: str, options: RetrievalOptions) -> ExistingIndexFirstStage:
        """Returns the first stage of `options.depth` hits. The template defines the search, so it has no mode."""
        if index != self.existing.name:
            raise ValueError(f"index must be {self.existing.name}, got {index}")
        return ExistingIndexFirstStage(self.existing, self.planner(options.depth), self.similarity)

    def planner(self, depth: int) -> Planner:
        """Returns the proxy's planner for windows of *depth* hits."""
        backend = self.existing.backend

        def fetch_mapping(call: SearchCall, target: str) -> object:
            response = backend.request(call, "GET", target)
            return response.json if response.status == 200 else None

        def encode(text: str) -> Sequence[float]:
            vector: list[float] = self.encoder.encode_queries([text])[0].tolist()
            return vector

        return Planner(backend, TextFields(fetch_mapping), encode, (), depth)


@dataclass(frozen=True)
class ExistingIndexFirstStage:
    """FirstStage over an existing index: the hits of the search, with the encoder's cosines of their texts."""

    existing: ExistingIndex
    planner: Planner
    similarity: TextSimilarity

    @property
    def index(self) -> str:
        """Index expression."""
        return self.existing.name

    def parameters(self) -> dict[str, object]:
        """Returns the mode `query`, the scored fields and the query template."""
        plan = self.existing.plan(self.planner, _PROBE)
        return {"mode": MODE, "fields": list(plan.texts.names), "query_template": dict(self.existing.template.body)}

    def search(self, query: str, stopwatch: Stopwatch) -> Retrieved:
        """Returns the hits of *query* as candidates; encode is the time for the cosines of their texts."""
        retrieved = self.hits(query)
        stopwatch.lap("retrieve")
        texts = [candidate.passage.headed_text for candidate in retrieved.candidates]
        cosines = self.similarity.cosines(retrieved.query, texts)
        stopwatch.lap("encode")
        if cosines is None:
            return retrieved
        with_cosines = [
            replace(candidate, cosine=cosine)
            for candidate, cosine in zip(retrieved.candidates, cosines.tolist(), strict=True)
        ]
        return replace(retrieved, candidates=with_cosines)

    def hits(self, query: str) -> Retrieved:
        """Returns the hits of *query* as candidates without cosines. Raises StoreError if the search fails."""
        plan = self.existing.plan(self.planner, query)
        response = self.existing.checked(self.existing.backend.fetch_window(plan))
        hits = (hits_of(response.json or {}) or [])[: plan.window]
        candidates = candidates_of(hits, plan.texts.texts_of(hits))
        return Retrieved(plan.query_text, [self._with_id(*pair) for pair in zip(candidates, hits, strict=True)])

    def contained(self, doc_ids: Sequence[str]) -> set[str]:
        """Returns those *doc_ids* that the index contains."""
        if len(self.existing.indexes) == 1:
            return self._found(self.existing.name, list(doc_ids))
        by_index: dict[str, list[str]] = {}
        for doc_id in doc_ids:
            index, _, hit_id = doc_id.partition("/")
            by_index.setdefault(index, []).append(hit_id)
        known = set(self.existing.indexes)
        return {
            f"{index}/{hit_id}"
            for index, ids in by_index.items()
            if index in known
            for hit_id in self._found(index, ids)
        }

    def advice_on_ids(self, dataset: str) -> str:
        """Returns the form of the ids in the index, with an example."""
        response = self.existing.backend.request(
            self.existing.call({}), "POST", self.existing.call({}).target(), {"size": 1, "_source": False}
        )
        hits = hits_of(response.json or {}) or []
        form = "the _id of a hit" if len(self.existing.indexes) == 1 else "INDEX/_id, because there are several indexes"
        example = f', such as "{self.existing.doc_id(hits[0])}"' if hits else ""
        return f"The second column of the judgments in {dataset}/qrels must be {form}{example}."

    def _found(self, index: str, ids: Sequence[str]) -> set[str]:
        body = {"query": {"ids": {"values": list(ids)}}, "size": len(ids), "_source": False}
        call = replace(self.existing.call(body), index=index)
        response = self.existing.checked(self.existing.backend.search(call, call.target(), body))
        return {str(hit["_id"]) for hit in hits_of(response.json or {}) or []}

    def _with_id(self, candidate: Candidate, hit: Mapping[str, Any]) -> Candidate:
        return replace(candidate, passage=replace(candidate.passage, doc_id=self.existing.doc_id(hit)))


def _indexes(backend: BackendClient, call: SearchCall, *, address: str) -> tuple[str, ...]:
    response = backend.request(call, "GET", f"/{quote(call.index, safe=',*-')}/_mapping")
    if response.status in (401, 403):
        raise StoreError(
            f'OpenSearch at {address} refused access to index "{call.index}": {response.status} {_reason(response)}. '
            "Put a user and password with access in the setting store."
        )
    if response.status not in (200, 404) or response.json is None:
        raise StoreAnswerInvalid(
            f"OpenSearch at {address} sent an unexpected response to GET /{call.index}/_mapping: {response.status} "
            f"{_reason(response)}. Check that the setting store is the URL of an OpenSearch server."
        )
    if response.status == 404 or not response.json:
        raise IndexNotFound(f'No index "{call.index}" in {address}. List the indexes: GET /_cat/indices')
    return tuple(sorted(response.json))


def _check_fields(backend: BackendClient, call: SearchCall, fields: Sequence[str]) -> None:
    """Raises InvalidInput for a field that no index has: it would be scored as an empty text."""
    path = f"/{quote(call.index, safe=',*-')}/_field_caps?fields={quote(','.join(fields))}"
    response = backend.request(call, "GET", path)
    known = (response.json or {}).get("fields")
    if response.status != 200 or not isinstance(known, Mapping):
        return
    unknown = [name for name in fields if name not in known]
    if unknown:
        texts = TextFields(lambda call, target: backend.request(call, "GET", target).json).of(call).default
        raise InvalidInput(
            f'--fields: index "{call.index}" has no field {", ".join(unknown)}. Its text fields: '
            f"{', '.join(texts) or 'none'}"
        )


def _credentials(location: str) -> tuple[tuple[str, str], ...]:
    """Returns the headers with the user and password of the setting `store`."""
    parts = urlsplit(location)
    if parts.username is None:
        return ()
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return (("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"),)


def _reason(response: BackendResponse) -> str:
    error = (response.json or {}).get("error")
    if isinstance(error, Mapping):
        causes = error.get("root_cause")
        cause = causes[0] if isinstance(causes, list) and causes and isinstance(causes[0], Mapping) else error
        return str(cause.get("reason") or cause.get("type") or response.reason)
    return str(error or response.reason)
