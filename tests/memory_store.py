"""A store in memory: exact search, plain BM25, and no surprises. It passes the suite that the real stores pass."""

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
from rerank.core.errors import EncoderMismatch, IndexConflict, IndexNotFound, MetadataError
from rerank.core.filters import Filter
from rerank.core.metadata import MetadataSchema
from rerank.core.protocols import Index, IndexInfo, IndexSpec, PassageMatch
from rerank.index.names import check_index_name
from tests.fakes import words
from tests.reference_filter import lets_through

_K1, _B = 1.2, 0.75


class InMemoryStore:
    """A Store that forgets everything at the end of the process."""

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
            found = self._live.get(self._aliases.get(name, name))
            if found is None:
                there = ", ".join(sorted(self._live)) or "none"
                raise IndexNotFound(f'there is no index "{name}"; indexes there are: {there}')
            return found

    def create(self, name: str, spec: IndexSpec) -> Index:
        check_index_name(name)
        with self._lock:
            if name in self._aliases:
                raise IndexConflict(f'"{name}" is an alias of "{self._aliases[name]}": build that one')
            self._drop(self._unfinished.pop(name, None))
            index = InMemoryIndex(name, spec, self._lock, lambda of: of is not self._live.get(name))
            self._unfinished[name] = index
            return index

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        check_index_name(name)
        with self._lock:
            index = self._unfinished.get(name)
            return None if index is None else (index, index.spec)

    def publish(self, index: Index) -> None:
        with self._lock:
            if index is self._live.get(index.name):
                return
            if index is not self._unfinished.get(index.name):
                raise IndexConflict(f'"{index.name}" was built anew by another run meanwhile')
            self._drop(self._live.get(index.name))
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
                raise IndexConflict(f'"{name}" is an index: choose another name for the alias')
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
    """One generation of an index of an InMemoryStore."""

    name: str
    spec: IndexSpec
    _lock: RLock
    _building: Callable[[InMemoryIndex], bool]
    dropped: bool = False
    _created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    _schema: MetadataSchema = field(default_factory=MetadataSchema)
    _documents: dict[str, EncodedDocument] = field(default_factory=dict)

    def info(self) -> IndexInfo:
        with self._lock:
            held = self._held()
            passages = sum(len(encoded.passages) for encoded in held.values())
            return IndexInfo(
                name=self.name,
                documents=len(held),
                passages=passages,
                encoder=self.spec.encoder,
                created=self._created,
                analyzer=self.spec.analyzer,
                building=self._building(self),
            )

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        for encoded in documents:
            self._check_length(encoded.vectors.shape[1])
        rejected: list[RejectedDocument] = []
        with self._lock:
            held = self._held()
            for encoded in documents:
                try:
                    self._schema = self._schema.extended(encoded.document.metadata)
                except MetadataError as exc:
                    rejected.append(RejectedDocument(encoded.document.doc_id, exc.message))
                else:
                    held[encoded.document.doc_id] = encoded
        return rejected

    def delete(self, doc_ids: Sequence[str]) -> int:
        with self._lock:
            held = self._held()
            return sum(held.pop(doc_id, None) is not None for doc_id in doc_ids)

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        with self._lock:
            held = self._held()
            return {doc_id: held[doc_id].content_hash for doc_id in doc_ids if doc_id in held}

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        with self._lock:
            held = self._held()
            return {doc_id: held[doc_id].document for doc_id in doc_ids if doc_id in held}

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        self._check_length(len(vector))
        found: list[PassageMatch] = []
        for encoded in self._passing(filter) if np.any(vector) else []:
            norms = np.linalg.norm(encoded.vectors, axis=1) * np.linalg.norm(vector)
            cosines = np.clip(encoded.vectors @ vector / norms, -1, 1)
            found.append(_best(encoded.passages, cosines.tolist()))
        return _first(found, k)

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        with self._lock:
            passages = [passage for encoded in self._held().values() for passage in encoded.passages]
        scores = _bm25(words(text), {passage.passage_id: words(passage.headed_text) for passage in passages})
        found: list[PassageMatch] = []
        for encoded in self._passing(filter):
            best = _best(encoded.passages, [scores.get(passage.passage_id, 0.0) for passage in encoded.passages])
            if best.score > 0:
                found.append(best)
        return _first(found, k)

    def refresh(self) -> None:
        return

    def optimize(self) -> None:
        return

    def _held(self) -> dict[str, EncodedDocument]:
        if self.dropped:
            raise IndexNotFound(f'index "{self.name}" was deleted or built anew: open it again')
        return self._documents

    def _passing(self, clause: Filter | None) -> list[EncodedDocument]:
        with self._lock:
            bound = None if clause is None else bind(clause, self._schema)
            return [
                encoded
                for encoded in self._held().values()
                if bound is None or lets_through(bound, encoded.document.metadata)
            ]

    def _check_length(self, length: int) -> None:
        if length != self.spec.encoder.dim:
            raise EncoderMismatch(
                f'index "{self.name}" holds vectors of {self.spec.encoder.dim} numbers, not of {length}: '
                f'use the encoder that it was built with, "{self.spec.encoder.name}"'
            )


def _best(passages: Sequence[Passage], scores: Sequence[float]) -> PassageMatch:
    score, passage = max(zip(scores, passages, strict=True), key=lambda pair: (pair[0], -pair[1].ordinal))
    return PassageMatch(passage, score)


def _first(found: Sequence[PassageMatch], k: int) -> list[PassageMatch]:
    return sorted(found, key=lambda match: (-match.score, match.passage.doc_id))[:k]


def _bm25(query: Sequence[str], texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The BM25 score of each text that holds a word of *query*."""
    average = sum(len(held) for held in texts.values()) / max(len(texts), 1)
    counts = {key: Counter(held) for key, held in texts.items()}
    scores: dict[str, float] = {}
    for word in dict.fromkeys(query):
        holding = [key for key, count in counts.items() if word in count]
        idf = math.log(1 + (len(texts) - len(holding) + 0.5) / (len(holding) + 0.5))
        for key in holding:
            count = counts[key][word]
            length = _K1 * (1 - _B + _B * len(texts[key]) / average)
            scores[key] = scores.get(key, 0.0) + idf * count * (_K1 + 1) / (count + length)
    return scores
