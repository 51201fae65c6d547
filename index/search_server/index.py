"""Generation of an index on a search server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from rerank.core.bound_filter import BoundFilter, bind
from rerank.core.document import Document, EncodedDocument, RejectedDocument
from rerank.core.errors import IndexNotFound, StoreError
from rerank.core.filters import Filter
from rerank.core.protocols import IndexInfo, IndexSpec, PassageMatch
from rerank.index.dimensions import check_document_vectors, check_query_vector
from rerank.index.query_words import query_words
from rerank.index.search_server.acceptance import possible_ids, split_by_id_length, split_by_schema
from rerank.index.search_server.bulk import Action, BulkWriter
from rerank.index.search_server.changes import add_deletions
from rerank.index.search_server.client import SearchServerClient, reason_of
from rerank.index.search_server.mapping import (
    META,
    Replaced,
    document_of,
    field_properties,
    meta_of,
    passage_of,
    replaced_of,
    schema_of,
    source_of,
    spec_of,
    write_alias,
)
from rerank.index.search_server.product import Product, VectorQuery
from rerank.index.search_server.queries import best_passages_query, count_query, filter_clause, text_query

CACHE_SECONDS = 1.0
"""Lifetime of a cached mapping. Changes of other processes must be visible within two seconds."""
_MGET_BATCH = 500
_MAX_SEGMENTS = 4
_MERGE_TIMEOUT_SECONDS = 3600


class SearchServerIndex:
    """Index over one index of the server, which is a generation. Once published, its alias is the name of the index.

    live: send reads to that alias, so that the object uses the next generation after a rebuild. Writes to a generation
    that was replaced raise IndexNotFound.
    """

    def __init__(
        self,
        client: SearchServerClient,
        product: Product,
        generation: str,
        mapping: Mapping[str, Any],
        *,
        live: bool = False,
    ) -> None:
        self._client = client
        self._product = product
        self.generation = generation
        self._meta = mapping["_meta"][META]
        # A write to a missing index would create it; a write that requires an alias fails instead. The alias belongs
        # to this generation, because the next one can have another encoder and other metadata fields.
        self._write_target = write_alias(generation)
        self._target = self._meta["name"] if live else generation
        self._live = live
        self._spec = spec_of(self._meta)
        self._schema = schema_of(mapping)
        self._schema_time = time.monotonic()

    @property
    def name(self) -> str:
        """Name of the index."""
        return str(self._meta["name"])

    @property
    def spec(self) -> IndexSpec:
        """Encoder, analyzer and engine, fixed at creation."""
        return self._spec

    @property
    def created(self) -> str:
        """Creation time, ISO 8601, UTC, by which generations are sorted."""
        return str(self._meta["created"])

    @property
    def replaces(self) -> Replaced | None:
        """Generation that was live at the creation of this one, if any."""
        return replaced_of(self._meta)

    def info(self) -> IndexInfo:
        """Returns the counts and the encoder's identity."""
        with self._request("counting documents") as api:
            response = api.search(index=self._target, body=count_query())
            documents = response["hits"]["total"]["value"]
            passages = response["aggregations"]["passages"]["doc_count"]
            building = not api.indices.exists_alias(name=self.name, index=self.generation)
        return IndexInfo(
            self.name,
            documents,
            passages,
            self.spec.encoder,
            self.created,
            self.spec.analyzer,
            building=building,
            fields=self._schema.types,
        )

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        """Writes *documents* by bulk requests. Each one atomically replaces its previous version."""
        check_document_vectors(self, documents)
        storable, too_long_ids = split_by_id_length(documents)
        accepted, conflicting = self._extend_mapping(storable)
        schema = self._schema
        actions = [Action("index", entry.document.doc_id, source_of(entry, schema)) for entry in accepted]
        outcomes = BulkWriter(self._client, self._write_target).write(actions)
        refused = [RejectedDocument(entry.doc_id, entry.reason) for entry in outcomes if entry.result == "refused"]
        return too_long_ids + conflicting + refused

    def delete(self, doc_ids: Sequence[str]) -> int:
        """Deletes documents and returns the number of deleted ones."""
        actions = [Action("delete", doc_id) for doc_id in possible_ids(doc_ids)]
        outcomes = BulkWriter(self._client, self._write_target).write(actions)
        refused = [outcome for outcome in outcomes if outcome.result == "refused"]
        if refused:
            raise StoreError(
                f'Document "{refused[0].doc_id}" of index "{self.name}" was not deleted: {refused[0].reason}.'
            )
        if outcomes and self._live:
            # Missing ones, too: a process that was killed here may have deleted them without logging it.
            self._log_deletions([outcome.doc_id for outcome in outcomes])
        return sum(outcome.result == "deleted" for outcome in outcomes)

    def _log_deletions(self, doc_ids: Sequence[str]) -> None:
        """Adds *doc_ids* to the deletions of the generation that is built, if there is one.

        Raises IndexNotFound if that generation was published meanwhile: then the deletion must be repeated in it.
        """
        with self._request("looking up a rebuild") as api:
            indexes = api.indices.get_mapping(index=f"{self.name}--*")
            live = api.indices.exists_alias(name=self.name, index=self.generation)
        for generation, entry in indexes.items():
            meta = meta_of(entry["mappings"])
            replaces = None if meta is None else replaced_of(meta)
            if replaces is not None and replaces.generation == self.generation:
                add_deletions(self._client, generation, doc_ids)
        if not live:
            raise IndexNotFound(f'Index "{self.name}" was rebuilt by another run. Open it again.')

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        """Returns the content hashes of *doc_ids*; missing documents are left out."""
        return {
            source["doc_id"]: source["content_hash"] for source in self._sources(doc_ids, ["doc_id", "content_hash"])
        }

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        """Returns the documents of *doc_ids* as they were written; missing ones are left out."""
        fields = ["doc_id", "title", "text", "long_text", "metadata_json"]
        return {source["doc_id"]: document_of(source) for source in self._sources(doc_ids, fields)}

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        """Returns the best passage of each of the *k* nearest documents, with its cosine."""
        check_query_vector(self, vector)
        if not np.any(vector):
            return []
        bound = self._bound(filter)
        query = VectorQuery(vector, k, None if bound is None else filter_clause(bound), exact, self.spec)
        with self._request("searching vectors") as api:
            hits = self._product.nearest(lambda body: api.search(index=self._target, body=body), query)
            return [_match(hit, 2.0 * hit["_score"] - 1.0) for hit in hits]

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        """Returns the best passage of each of the *k* documents with the highest BM25 score over title and text.

        If the server accepts fewer clauses than the query has words, only the first words are used.
        """
        words, bound = query_words(text), self._bound(filter)
        while words:
            with self._request("searching text") as api:
                try:
                    hits = api.search(index=self._target, body=text_query(words, k=k, filter=bound))["hits"]["hits"]
                    return self._with_best_passages(hits, words)
                except RequestError as exc:
                    if "maxClauseCount" not in str(exc.info) or len(words) == 1:
                        raise
            words = words[: len(words) // 2]
        return []

    def refresh(self) -> None:
        """Makes all writes so far visible to searches."""
        with self._request("refreshing") as api:
            api.indices.refresh(index=self._target)

    def optimize(self) -> None:
        """Merges segments, because a search visits the vector graph of each segment."""
        if not self._product.merges_segments:
            self.refresh()
            return
        with self._request("merging segments") as api:
            api.indices.forcemerge(
                index=self._target,
                params={"max_num_segments": _MAX_SEGMENTS, "request_timeout": _MERGE_TIMEOUT_SECONDS},
            )
        self.refresh()

    def _request(self, action: str) -> AbstractContextManager[OpenSearch]:
        return self._client.request(f'{action} in index "{self.name}"')

    def _bound(self, filter: Filter | None) -> BoundFilter | None:
        if filter is None:
            return None
        if time.monotonic() - self._schema_time > CACHE_SECONDS:
            self._read_schema()
        return bind(filter, self._schema)

    def _read_schema(self) -> None:
        with self._request("reading the mapping") as api:
            response = api.indices.get_mapping(index=self._target)
            self._schema = schema_of(next(iter(response.values()))["mappings"])
        self._schema_time = time.monotonic()

    def _extend_mapping(
        self, documents: Sequence[EncodedDocument]
    ) -> tuple[list[EncodedDocument], list[RejectedDocument]]:
        """Adds the new metadata fields of *documents*, and splits them into accepted and rejected ones."""
        while True:
            current = self._schema
            schema, accepted, rejected = split_by_schema(documents, current)
            new = {name: kind for name, kind in schema.types.items() if name not in current.types}
            if not new:
                return accepted, rejected
            with self._request("adding metadata fields") as api:
                try:
                    api.indices.put_mapping(index=self._target, body=field_properties(new))
                except RequestError as exc:
                    self._read_schema()
                    if self._schema.types.keys() & new.keys():
                        # Another writer has added one of the fields with another type, and types cannot change.
                        continue
                    raise StoreError(
                        f'Index "{self.name}" cannot have more metadata fields: {reason_of(exc.info)}. '
                        "Drop some with --drop-field, or raise index.mapping.total_fields.limit."
                    ) from exc
            self._read_schema()

    def _sources(self, doc_ids: Iterable[str], fields: Sequence[str]) -> list[dict[str, Any]]:
        sources: list[dict[str, Any]] = []
        remaining = iter(possible_ids(doc_ids))
        while batch := list(islice(remaining, _MGET_BATCH)):
            with self._request("reading documents") as api:
                response = api.mget(index=self._target, body={"ids": batch}, params={"_source": ",".join(fields)})
                sources.extend(entry["_source"] for entry in response["docs"] if entry.get("found"))
        return sources

    def _with_best_passages(self, hits: Sequence[Mapping[str, Any]], words: Sequence[str]) -> list[PassageMatch]:
        """Returns the best passage of each hit. Only documents with several passages need a second search."""
        several = [hit["_source"]["doc_id"] for hit in hits if "text" not in hit["_source"]]
        best: dict[str, Mapping[str, Any]] = {}
        if several:
            with self._request("searching passages") as api:
                response = api.search(index=self._target, body=best_passages_query(words, several))
                best = {hit["_source"]["doc_id"]: hit["inner_hits"] for hit in response["hits"]["hits"]}
        matches = []
        for hit in hits:
            source = hit["_source"]
            inner = best.get(source["doc_id"])
            if inner is not None:
                matches.append(_match({**hit, "inner_hits": inner}, hit["_score"]))
            elif "text" in source:
                matches.append(PassageMatch(passage_of(source, source["passages"][0], 0), hit["_score"]))
            # Otherwise the document was deleted between the two searches.
        return matches


def _match(hit: Mapping[str, Any], score: float) -> PassageMatch:
    inner = hit["inner_hits"]["passages"]["hits"]["hits"][0]
    return PassageMatch(passage_of(hit["_source"], inner["_source"], inner["_nested"]["offset"]), score)
