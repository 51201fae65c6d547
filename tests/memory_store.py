"""In-memory store for tests: exact vector search and plain BM25. It passes the same contract as the real stores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from rerank.core.bound_filter import bind
from rerank.core.document import Document, EncodedDocument, Passage, RejectedDocument
from rerank.core.errors import IndexConflict, IndexNotFound, MetadataError
from rerank.core.filters import Filter
from rerank.core.metadata import MetadataSchema
from rerank.core.protocols import Index, IndexInfo, IndexSpec, PassageMatch, Replay
from rerank.index.dimensions import check_document_vectors, check_query_vector
from rerank.index.names import check_index_name, index_not_found
from tests.fakes import words
from tests.reference_filter import passes

_K1, _B = 1.2, 0.75


class InMemoryStore:
    """Store without persistence."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._live: dict[str, InMemoryIndex] = {}
        self._unfinished: dict[str, InMemoryIndex] = {}
        self._aliases: dict[str, str] = {}

    @property
    def location(self) -> str:
        return "memory"

    def ping(self) -> None:
        return

    def indexes(self) -> list[IndexInfo]:
        with self._lock:
            return [self._live[name].info() for name in sorted(self._live)]

    def open(self, name: str) -> Index:
        check_index_name(name)
        with self._lock:
            index = self._live.get(self._aliases.get(name, name))
            if index is None:
                raise index_not_found(name, self._live, self.location)
            return index

    def create(self, name: str, spec: IndexSpec) -> Index:
        check_index_name(name)
        with self._lock:
            if name in self._aliases:
                raise IndexConflict(f'"{name}" is an alias of index "{self._aliases[name]}".')
            self._drop(self._unfinished.pop(name, None))
            index = InMemoryIndex(name, spec, self._lock, lambda index: index is not self._live.get(name))
            self._unfinished[name] = index
            if name in self._live:
                self._live[name].changes.clear()
            return index

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        check_index_name(name)
        with self._lock:
            index = self._unfinished.get(name)
            return None if index is None else (index, index.spec)

    def publish(self, index: Index, *, replay: Replay | None = None) -> None:
        with self._lock:
            live = self._live.get(index.name)
            if index is live:
                return
            if index is not self._unfinished.get(index.name):
                raise IndexConflict(f'Another ingest run restarted index "{index.name}"; this run was discarded.')
            while live is not None and replay is not None and live.changes:
                changes = dict(live.changes)
                replay(live, list(changes))
                for doc_id in changes:
                    del live.changes[doc_id]
            self._drop(live)
            self._live[index.name] = self._unfinished.pop(index.name)

    def delete(self, name: str) -> None:
        check_index_name(name)
        with self._lock:
            if self._aliases.pop(name, None) is not None:
                return
            generations = [self._live.pop(name, None), self._unfinished.pop(name, None)]
            if generations == [None, None]:
                self.open(name)
            for generation in generations:
                self._drop(generation)
            self._aliases = {alias: target for alias, target in self._aliases.items() if target != name}

    def alias(self, name: str, target: str) -> None:
        check_index_name(name)
        check_index_name(target)
        with self._lock:
            if name in self._live or name in self._unfinished:
                raise IndexConflict(f'"{name}" is an index. Choose another name for the alias.')
            self._aliases[name] = self.open(target).name

    def aliases(self) -> Mapping[str, str]:
        with self._lock:
            return dict(self._aliases)

    def close(self) -> None:
        return

    def _drop(self, index: InMemoryIndex | None) -> None:
        if index is not None:
            index.dropped = True


@dataclass
class InMemoryIndex:
    """Generation of an index of an InMemoryStore."""

    name: str
    spec: IndexSpec
    _lock: RLock
    _building: Callable[[InMemoryIndex], bool]
    dropped: bool = False
    changes: dict[str, None] = field(default_factory=dict)
    _created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    _schema: MetadataSchema = field(default_factory=MetadataSchema)
    _documents: dict[str, EncodedDocument] = field(default_factory=dict)

    def info(self) -> IndexInfo:
        with self._lock:
            documents = self._stored()
            passages = sum(len(encoded.passages) for encoded in documents.values())
            return IndexInfo(
                name=self.name,
                documents=len(documents),
                passages=passages,
                encoder=self.spec.encoder,
                created=self._created,
                analyzer=self.spec.analyzer,
                building=self._building(self),
                fields=self._schema.types,
            )

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        check_document_vectors(self, documents)
        rejected: list[RejectedDocument] = []
        with self._lock:
            stored = self._stored()
            for encoded in documents:
                try:
                    self._schema = self._schema.extended(encoded.document.metadata)
                except MetadataError as exc:
                    rejected.append(RejectedDocument(encoded.document.doc_id, exc.message))
                else:
                    stored[encoded.document.doc_id] = encoded
                    self.changes[encoded.document.doc_id] = None
        return rejected

    def delete(self, doc_ids: Sequence[str]) -> int:
        with self._lock:
            stored = self._stored()
            self.changes.update(dict.fromkeys(doc_ids))
            return sum(stored.pop(doc_id, None) is not None for doc_id in doc_ids)

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        with self._lock:
            stored = self._stored()
            return {doc_id: stored[doc_id].content_hash for doc_id in doc_ids if doc_id in stored}

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        with self._lock:
            stored = self._stored()
            return {doc_id: stored[doc_id].document for doc_id in doc_ids if doc_id in stored}

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        check_query_vector(self, vector)
        matches: list[PassageMatch] = []
        for encoded in self._filtered(filter) if np.any(vector) else []:
            norms = np.linalg.norm(encoded.vectors, axis=1) * np.linalg.norm(vector)
            cosines = np.clip(encoded.vectors @ vector / norms, -1, 1)
            matches.append(_best_passage(encoded.passages, cosines.tolist()))
        return _best_matches(matches, k)

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        with self._lock:
            passages = [passage for encoded in self._stored().values() for passage in encoded.passages]
        scores = _bm25(words(text), {passage.passage_id: words(passage.headed_text) for passage in passages})
        matches: list[PassageMatch] = []
        for encoded in self._filtered(filter):
            passage_scores = [scores.get(passage.passage_id, 0.0) for passage in encoded.passages]
            best = _best_passage(encoded.passages, passage_scores)
            if best.score > 0:
                matches.append(best)
        return _best_matches(matches, k)

    def refresh(self) -> None:
        return

    def optimize(self) -> None:
        return

    def _stored(self) -> dict[str, EncodedDocument]:
        if self.dropped:
            raise IndexNotFound(f'Index "{self.name}" was deleted or rebuilt. Open it again.')
        return self._documents

    def _filtered(self, clause: Filter | None) -> list[EncodedDocument]:
        with self._lock:
            bound = None if clause is None else bind(clause, self._schema)
            return [
                encoded
                for encoded in self._stored().values()
                if bound is None or passes(bound, encoded.document.metadata)
            ]


def _best_passage(passages: Sequence[Passage], scores: Sequence[float]) -> PassageMatch:
    score, passage = max(zip(scores, passages, strict=True), key=lambda pair: (pair[0], -pair[1].ordinal))
    return PassageMatch(passage, score)


def _best_matches(matches: Sequence[PassageMatch], k: int) -> list[PassageMatch]:
    return sorted(matches, key=lambda match: (-match.score, match.passage.doc_id))[:k]


def _bm25(query: Sequence[str], texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Returns the BM25 score of each text that contains a word of *query*."""
    average = sum(len(text) for text in texts.values()) / max(len(texts), 1)
    counts = {key: Counter(text) for key, text in texts.items()}
    scores: dict[str, float] = {}
    for word in dict.fromkeys(query):
        matching = [key for key, count in counts.items() if word in count]
        idf = math.log(1 + (len(texts) - len(matching) + 0.5) / (len(matching) + 0.5))
        for key in matching:
            count = counts[key][word]
            length = _K1 * (1 - _B + _B * len(texts[key]) / average)
            scores[key] = scores.get(key, 0.0) + idf * count * (_K1 + 1) / (count + length)
    return scores
