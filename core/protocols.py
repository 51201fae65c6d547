"""Interfaces of models and stores for searching and indexing.

Implementations are interchangeable: tests use small fakes, and all stores pass one conformance suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rerank.core.cosine_scale import CosineScale
from rerank.core.document import Document, EncodedDocument, Passage, RejectedDocument, Vectors
from rerank.core.filters import Filter
from rerank.core.metadata import FieldType


class Encoder(Protocol):
    """Bi-encoder: one vector per text, comparable by dot product."""

    @property
    def name(self) -> str:
        """Name of the model for users."""

    @property
    def fingerprint(self) -> str:
        """Hash of the model files: equal fingerprints mean equal vectors."""

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""

    @property
    def max_tokens(self) -> int:
        """Maximum number of tokens of a text, including special tokens; longer texts are truncated."""

    @property
    def cosine_scale(self) -> CosineScale:
        """Typical cosines of unrelated and of matching texts."""

    def encode_queries(self, texts: Sequence[str], *, deadline: float | None = None) -> Vectors:
        """Returns the vectors of queries, float32 (len(texts), dim), rows of unit length, in input order.

        Raises ModelOutputInvalid for a value that is not finite, and ModelTimeout when the *deadline*
        (time.monotonic() seconds) has passed.
        """

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Returns the vectors of documents, in the form of `encode_queries`."""

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Returns the character range of each token per text: int32 (tokens, 2), without special tokens."""


@dataclass(frozen=True)
class RerankScores:
    """Scores of n texts for one query, in input order.

    logits: float32 (n,), finite where scored, 0 elsewhere; higher is better.
    scored: bool (n,), False for texts that the deadline left out.
    tokens: int32 (n,), number of tokens of query and text together.
    truncated: bool (n,), True if the model did not process the whole text.
    cached: number of logits from the cache.
    query_truncated: True if the query alone exceeds the model's length.
    waited_ms: time in the queue before the model started.
    """

    logits: NDArray[np.float32]
    scored: NDArray[np.bool_]
    tokens: NDArray[np.int32]
    truncated: NDArray[np.bool_]
    cached: int = 0
    query_truncated: bool = False
    waited_ms: float = 0.0

    def at_positions(self, positions: NDArray[np.intp], n: int) -> RerankScores:
        """Returns these scores at *positions* of *n* texts; the other texts are unscored."""
        logits = np.zeros(n, dtype=np.float32)
        scored = np.zeros(n, dtype=np.bool_)
        tokens = np.zeros(n, dtype=np.int32)
        truncated = np.zeros(n, dtype=np.bool_)
        logits[positions], scored[positions] = self.logits, self.scored
        tokens[positions], truncated[positions] = self.tokens, self.truncated
        return replace(self, logits=logits, scored=scored, tokens=tokens, truncated=truncated)


class Cancellation(Protocol):
    """Cancellation of a request. Models check it between batches, from any thread."""

    def cancelled(self) -> bool:
        """Returns True once the client has disconnected. Takes microseconds and never raises."""


class Reranker(Protocol):
    """Cross-encoder: scores query and text together."""

    @property
    def name(self) -> str:
        """Name of the model for users."""

    @property
    def fingerprint(self) -> str:
        """Hash of the model files."""

    @property
    def max_tokens(self) -> int:
        """Maximum number of tokens of query and text together, including special tokens."""

    def max_text_tokens(self, query: str) -> int:
        """Returns the maximum number of tokens of a text with *query*, without special tokens."""

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Returns the character range of each token per text: int32 (tokens, 2), without special tokens."""

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Returns the scores of *texts*. A *deadline* (time.monotonic() seconds) leaves out the last texts first.

        Raises ModelError if the model fails, ModelOutputInvalid for a value that is not finite, ModelOverloaded if the
        queue is full, and RequestCancelled when *cancellation* is set.
        """


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """Identity of the encoder that an index was built with."""

    name: str
    fingerprint: str
    dim: int


DEFAULT_VECTOR_INDEX = "int8_hnsw"


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """Properties fixed at the creation of an index.

    engine: k-NN engine on OpenSearch. run_key: identifies the ingest run that builds the index. vector_index: kind of
    the vector index on Elasticsearch.
    """

    encoder: EncoderIdentity
    analyzer: str = "standard"
    engine: str = "lucene"
    run_key: str = ""
    vector_index: str = DEFAULT_VECTOR_INDEX


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """Summary of an index. `created` is an ISO 8601 instant, UTC. `fields`: the types of the metadata fields."""

    name: str
    documents: int
    passages: int
    encoder: EncoderIdentity
    created: str
    analyzer: str
    building: bool = False
    fields: Mapping[str, FieldType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PassageMatch:
    """Passage that the first stage retrieved. `score` is the cosine in [-1, 1] for knn, and at least 0 for match."""

    passage: Passage
    score: float


class Index(Protocol):
    """Index: documents with their passages and vectors.

    Writes of any process become visible within two seconds, and writes of this object after `refresh`. Every method
    raises StoreUnavailable, StoreTimeout, StoreFull or StoreError if the store fails.
    """

    @property
    def name(self) -> str:
        """Name of the index for users."""

    @property
    def spec(self) -> IndexSpec:
        """Properties fixed at creation, available without a request to the store."""

    def info(self) -> IndexInfo:
        """Returns counts and the identity of the encoder. Raises IndexNotFound if the index was deleted."""

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        """Stores *documents* (distinct doc_ids), each atomically replacing all passages of its doc_id.

        Returns the documents that the store refused, with reasons. Raises EncoderMismatch if the vectors do not have
        the dimensions of the index.
        """

    def delete(self, doc_ids: Sequence[str]) -> int:
        """Deletes documents and returns how many existed."""

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        """Returns the content hashes of those *doc_ids* that the index contains."""

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        """Returns those documents of *doc_ids* that the index contains, unchanged."""

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        """Returns the best passage of each of the *k* documents nearest to *vector* (dim,), best first, ties by doc_id.

        The filter applies before the cut to *k*. *exact* compares every vector instead of searching approximately.
        """

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        """Returns the best passage of each of the *k* best matches for *text* (BM25 over title and text).

        Documents match by any word; best first, ties by doc_id. *text* is never parsed as a query language.
        """

    def refresh(self) -> None:
        """Makes all previous writes visible to searches of every process."""

    def optimize(self) -> None:
        """Builds or updates the search structures. Called at the end of a run."""


Replay = Callable[[Index, Sequence[str]], None]
"""Function that applies the changes of documents, by id, in the given index to the index that replaces it."""


class Store(Protocol):
    """Store of indexes. A name refers to one generation of an index; a rebuild creates and publishes a new generation.

    Every method raises InvalidIndexName for a name that breaks OpenSearch's naming rules.
    """

    @property
    def location(self) -> str:
        """Folder or URL, without a password."""

    def ping(self) -> None:
        """Raises StoreUnavailable if the store is unreachable."""

    def indexes(self) -> list[IndexInfo]:
        """Returns the indexes of rerank in the store by name, without unpublished generations."""

    def open(self, name: str) -> Index:
        """Returns the live generation of *name*; cheap enough for every request.

        Raises IndexNotFound with the names of all indexes.
        """

    def create(self, name: str, spec: IndexSpec) -> Index:
        """Creates an empty generation of *name*, invisible until published, and discards an unfinished one.

        Raises IndexConflict if *name* is an index that rerank did not create.
        """

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        """Returns the unpublished generation of *name*, or None."""

    def publish(self, index: Index, *, replay: Replay | None = None) -> None:
        """Makes *index* the live generation of its name atomically, and deletes the previous generation.

        Does nothing if *index* is live: two runs that build it together both publish it. Raises IndexConflict if
        another run discarded it.

        Before that, *replay* is called with the previous generation and the ids of the documents that were written to
        or deleted from it since the creation of *index*, in parts. It must apply these changes to *index*. During the
        last call, writes to the previous generation wait. Afterwards, they raise IndexNotFound.
        """

    def delete(self, name: str) -> None:
        """Deletes *name* with all generations and aliases, or only the alias *name*. Raises IndexNotFound."""

    def alias(self, name: str, target: str) -> None:
        """Creates the alias *name* of the index *target*.

        Raises IndexNotFound, and IndexConflict if *name* is an index.
        """

    def aliases(self) -> Mapping[str, str]:
        """Returns the index name by alias."""

    def close(self) -> None:
        """Closes connections and files."""
