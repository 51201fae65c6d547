"""One generation of an index in OpenSearch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opensearchpy.exceptions import RequestError

from rerank.core.bound_filter import BoundFilter, bind
from rerank.core.document import Document, EncodedDocument, RejectedDocument
from rerank.core.errors import MetadataError, StoreError
from rerank.core.filters import Filter
from rerank.core.metadata import MetadataSchema
from rerank.core.protocols import IndexInfo, IndexSpec, PassageMatch
from rerank.index.dimensions import check_documents, check_query
from rerank.index.opensearch.bulk import Action, BulkWriter
from rerank.index.opensearch.layout import (
    META,
    document_of,
    field_properties,
    passage_of,
    schema_of,
    source_of,
    spec_of,
    write_alias,
)
from rerank.index.opensearch.query import counting, matching, matching_passages, nearest
from rerank.index.opensearch.server import Server
from rerank.index.query_words import query_words

FRESH_SECONDS = 1.0
"""How long a mapping is trusted: other processes' new fields are seen within two seconds."""
MAX_ID_BYTES = 512
_GET_AT_ONCE = 500
_FEW_SEGMENTS = 4


class OpenSearchIndex:
    """An Index over one OpenSearch index, which an alias of its name leads to once it is published.

    *live*: reach it by that alias, so that a search that has begun finds the next generation when this one is gone.
    """

    def __init__(self, server: Server, generation: str, mapping: Mapping[str, Any], *, live: bool = False) -> None:
        self._server = server
        self.generation = generation
        # Only an alias can be written to without making an index where there is none.
        self._writes_to = mapping["_meta"][META]["name"] if live else write_alias(generation)
        self._target = self._writes_to if live else generation
        self._meta = mapping["_meta"][META]
        self._spec = spec_of(self._meta)
        self._schema = schema_of(mapping)
        self._read_at = time.monotonic()

    @property
    def name(self) -> str:
        """The name that users know it by."""
        return str(self._meta["name"])

    @property
    def spec(self) -> IndexSpec:
        """What was fixed when it was made."""
        return self._spec

    @property
    def created(self) -> str:
        """When it was made, ISO 8601, UTC; later generations sort after earlier ones."""
        return str(self._meta["created"])

    def info(self) -> IndexInfo:
        """Counts and the encoder's identity."""
        with self._asking("a count") as client:
            answer = client.search(index=self._target, body=counting())
            documents = answer["hits"]["total"]["value"]
            passages = answer["aggregations"]["passages"]["doc_count"]
            building = not client.indices.exists_alias(name=self.name, index=self.generation)
        return IndexInfo(
            self.name, documents, passages, self.spec.encoder, self.created, self.spec.analyzer, building=building
        )

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        """One bulk write a batch; a document and its passages are one OpenSearch document, replaced as one."""
        check_documents(self, documents)
        storable, rejected = _with_ids_that_fit(documents)
        fitting, misfits = self._fit_schema(storable)
        schema = self._schema
        actions = [Action("index", entry.document.doc_id, source_of(entry, schema)) for entry in fitting]
        outcomes = BulkWriter(self._server, self._writes_to).write(actions)
        refused = [RejectedDocument(out.doc_id, out.reason) for out in outcomes if out.result == "refused"]
        return rejected + misfits + refused

    def delete(self, doc_ids: Sequence[str]) -> int:
        """Remove documents; returns how many there were."""
        actions = [Action("delete", doc_id) for doc_id in dict.fromkeys(doc_ids)]
        outcomes = BulkWriter(self._server, self._writes_to).write(actions)
        refused = [outcome for outcome in outcomes if outcome.result == "refused"]
        if refused:
            raise StoreError(f'document "{refused[0].doc_id}" of index "{self.name}" stays: {refused[0].reason}')
        return sum(outcome.result == "deleted" for outcome in outcomes)

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        """The content hash of each of *doc_ids* that the index holds."""
        return {
            source["doc_id"]: source["content_hash"] for source in self._sources(doc_ids, ["doc_id", "content_hash"])
        }

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        """The documents of *doc_ids* that the index holds, as they were written."""
        wanted = ["doc_id", "title", "text", "long_text", "metadata_json"]
        return {source["doc_id"]: document_of(source) for source in self._sources(doc_ids, wanted)}

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        """OpenSearch's cosinesimil answers (1 + cosine) / 2, as its script score answers 1 + cosine."""
        check_query(self, vector)
        if not np.any(vector):
            return []
        body = nearest(vector, k=k, filter=self._bound(filter), exact=exact)
        with self._asking("a vector search") as client:
            hits = client.search(index=self._target, body=body)["hits"]["hits"]
            return [_match(hit, 2.0 * hit["_score"] - 1.0) for hit in hits]

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        """BM25 over title and text. Where a server takes fewer words than the query has, the first ones count."""
        words, bound = query_words(text), self._bound(filter)
        while words:
            with self._asking("a text search") as client:
                try:
                    hits = client.search(index=self._target, body=matching(words, k=k, filter=bound))["hits"]["hits"]
                    return self._with_best_passages(hits, words)
                except RequestError as exc:
                    if "maxClauseCount" not in str(exc.info) or len(words) == 1:
                        raise
            words = words[: len(words) // 2]
        return []

    def refresh(self) -> None:
        """Make everything written so far visible to searches."""
        with self._asking("a refresh") as client:
            client.indices.refresh(index=self._target)

    def optimize(self) -> None:
        """Merge what a run wrote into a few segments: fewer graphs to search."""
        with self._asking("a merge") as client:
            client.indices.forcemerge(
                index=self._target, params={"max_num_segments": _FEW_SEGMENTS, "request_timeout": 3600}
            )
        self.refresh()

    def _asking(self, what: str) -> Any:
        return self._server.asking(f'{what} in index "{self.name}"')

    def _bound(self, filter: Filter | None) -> BoundFilter | None:
        if filter is None:
            return None
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            self._read_schema()
        return bind(filter, self._schema)

    def _read_schema(self) -> None:
        with self._asking("its mapping") as client:
            answer = client.indices.get_mapping(index=self._target)
            self._schema = schema_of(next(iter(answer.values()))["mappings"])
        self._read_at = time.monotonic()

    def _fit_schema(self, documents: Sequence[EncodedDocument]) -> tuple[list[EncodedDocument], list[RejectedDocument]]:
        """Those of *documents* whose metadata fits, after the mapping has learnt their new fields."""
        while True:
            known = self._schema
            schema, fitting, rejected = _fitting(documents, known)
            new = {name: kind for name, kind in schema.types.items() if name not in known.types}
            if not new:
                return fitting, rejected
            with self._asking("new metadata fields") as client:
                try:
                    client.indices.put_mapping(index=self._target, body=field_properties(new))
                except RequestError as exc:
                    # Another writer gave one of the fields another type first: its type holds.
                    self._read_schema()
                    if self._schema.types.keys() & new.keys():
                        continue
                    raise StoreError(f'index "{self.name}" takes no more metadata fields: {exc.info}') from exc
            self._read_schema()

    def _sources(self, doc_ids: Iterable[str], wanted: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        remaining = iter(dict.fromkeys(doc_ids))
        while chunk := list(islice(remaining, _GET_AT_ONCE)):
            with self._asking("a look at documents") as client:
                answer = client.mget(index=self._target, body={"ids": chunk}, params={"_source": ",".join(wanted)})
                found.extend(entry["_source"] for entry in answer["docs"] if entry.get("found"))
        return found

    def _with_best_passages(self, hits: Sequence[Mapping[str, Any]], words: Sequence[str]) -> list[PassageMatch]:
        """Only documents of several passages are asked again for the best of them."""
        several = [hit["_source"]["doc_id"] for hit in hits if "text" not in hit["_source"]]
        best: dict[str, Mapping[str, Any]] = {}
        if several:
            with self._asking("the best passages") as client:
                answer = client.search(index=self._target, body=matching_passages(words, several))
                best = {hit["_source"]["doc_id"]: hit["inner_hits"] for hit in answer["hits"]["hits"]}
        matches = []
        for hit in hits:
            source = hit["_source"]
            inner = best.get(source["doc_id"])
            if inner is not None:
                matches.append(_match({**hit, "inner_hits": inner}, hit["_score"]))
            elif "text" in source:
                matches.append(PassageMatch(passage_of(source, source["passages"][0], 0), hit["_score"]))
            # Else it was deleted between the two questions, and is no hit any more.
        return matches


def _with_ids_that_fit(
    documents: Sequence[EncodedDocument],
) -> tuple[list[EncodedDocument], list[RejectedDocument]]:
    """One longer id would make the server refuse the whole request."""
    fitting, rejected = [], []
    for entry in documents:
        length = len(entry.document.doc_id.encode())
        if length > MAX_ID_BYTES:
            reason = f"the id is {length} bytes long; OpenSearch takes at most {MAX_ID_BYTES} bytes"
            rejected.append(RejectedDocument(entry.document.doc_id, reason))
        else:
            fitting.append(entry)
    return fitting, rejected


def _fitting(
    documents: Sequence[EncodedDocument], schema: MetadataSchema
) -> tuple[MetadataSchema, list[EncodedDocument], list[RejectedDocument]]:
    fitting, rejected = [], []
    for entry in documents:
        try:
            schema = schema.extended(entry.document.metadata)
        except MetadataError as exc:
            rejected.append(RejectedDocument(entry.document.doc_id, exc.message))
        else:
            fitting.append(entry)
    return schema, fitting, rejected


def _match(hit: Mapping[str, Any], score: float) -> PassageMatch:
    inner = hit["inner_hits"]["passages"]["hits"]["hits"][0]
    return PassageMatch(passage_of(hit["_source"], inner["_source"], inner["_nested"]["offset"]), score)
