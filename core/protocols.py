"""The seams: what the two roads need from models and stores, and nothing more.

Everything behind a seam is replaceable: tests run the same roads over small fakes, and both stores pass one
conformance suite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Document, EncodedDocument, Passage, RejectedDocument, Vectors
from rerank.core.filters import Filter


class Encoder(Protocol):
    """A bi-encoder: one vector a text, comparable by dot product."""

    @property
    def name(self) -> str:
        """What a user calls it."""

    @property
    def fingerprint(self) -> str:
        """Hash of the model's files: equal fingerprints mean equal vectors."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Tokens read of one text, special tokens included; the rest is cut."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """float32 (len(texts), dim), rows of unit length, in input order; no texts give (0, dim).

        Raises ModelOutputInvalid on a value that is not finite.
        """

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """As encode_queries, for the other side of the comparison."""

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """For each text the characters behind each token: int32 (tokens, 2), start and end, no special tokens."""


@dataclass(frozen=True)
class RerankScores:
    """What a cross-encoder said of the texts of one query, in input order.

    logits: float32 (n,), finite where scored, 0 elsewhere; higher is better.
    scored: bool (n,), False for texts that the deadline left out.
    tokens: int32 (n,), tokens read of query and text together; truncated: bool (n,), a part was not read.
    cached: how many logits were not computed anew.
    query_truncated: the query alone was longer than the model reads.
    waited_ms: how long these texts waited behind others before the model began with them.
    """

    logits: NDArray[np.float32]
    scored: NDArray[np.bool_]
    tokens: NDArray[np.int32]
    truncated: NDArray[np.bool_]
    cached: int = 0
    query_truncated: bool = False
    waited_ms: float = 0.0


class Cancellation(Protocol):
    """Whether somebody still waits for an answer. Asked between batches, from any thread."""

    def cancelled(self) -> bool:
        """True once nobody does; it stays so. Takes microseconds and never raises."""


class Reranker(Protocol):
    """A cross-encoder: reads query and text together."""

    @property
    def name(self) -> str:
        """What a user calls it."""

    @property
    def fingerprint(self) -> str:
        """Hash of the model's files."""

    @property
    def max_tokens(self) -> int:
        """Tokens read of query and text together, special tokens included."""

    def text_room(self, query: str) -> int:
        """Tokens of a text that are read beside *query*, special tokens excluded; the rest is cut."""

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """For each text the characters behind each token: int32 (tokens, 2), start and end, no special tokens."""

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Score each text, first ones first where *deadline* (time.monotonic() seconds) does not allow all.

        Raises ModelError when the model fails, ModelOutputInvalid on a value that is not finite, ModelOverloaded when
        too much work is waiting, and RequestCancelled once *cancellation* says that nobody waits any more.
        """


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """The encoder that an index was built with."""

    name: str
    fingerprint: str
    dim: int


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """What is fixed when an index is made. `run_key` names the ingest run that builds it (empty: none)."""

    encoder: EncoderIdentity
    analyzer: str = "standard"
    engine: str = "lucene"
    run_key: str = ""


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What is known of an index. `created` is an ISO 8601 instant, UTC."""

    name: str
    documents: int
    passages: int
    encoder: EncoderIdentity
    created: str
    analyzer: str
    building: bool = False


@dataclass(frozen=True, slots=True)
class PassageMatch:
    """A passage that the first stage found. For knn, `score` is the cosine in [-1, 1]; for match, at least 0."""

    passage: Passage
    score: float


class Index(Protocol):
    """One index: documents with their passages and vectors.

    Reads see what any process has written within two seconds, and at once what this object wrote and refreshed.
    Every method raises StoreUnavailable, StoreTimeout, StoreFull or StoreError when the store does.
    """

    @property
    def name(self) -> str:
        """The name that users know it by."""

    @property
    def spec(self) -> IndexSpec:
        """What was fixed when it was made; costs nothing to ask."""

    def info(self) -> IndexInfo:
        """Counts and the encoder's identity. Raises IndexNotFound when it is gone."""

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        """Write *documents* (distinct doc_ids), each replacing all passages of its doc_id at once, or none of them.

        Returns those that the store refused, with the reason. Raises EncoderMismatch when the vectors' length is not
        the index's.
        """

    def delete(self, doc_ids: Sequence[str]) -> int:
        """Remove documents; returns how many there were."""

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        """The content hash of each of *doc_ids* that the index holds."""

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        """The documents of *doc_ids* that the index holds, as they were written."""

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        """The best passage of each of the *k* documents nearest to *vector* (dim,), best first, ties by doc_id.

        The filter holds before the cut. *exact* compares with every vector instead of searching approximately.
        """

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        """The best passage of each of the *k* documents that match *text* best (BM25 over title and text).

        Any word may match; best first, ties by doc_id. Text is never read as a query language.
        """

    def refresh(self) -> None:
        """Make everything written so far visible to searches, here and elsewhere."""

    def optimize(self) -> None:
        """Build or bring up to date what makes searches fast. Called at the end of a run."""


class Store(Protocol):
    """Where indexes live. A name leads to one generation of an index; a rebuild makes a new one and swaps it in.

    Every method raises InvalidIndexName for a name outside OpenSearch's rule.
    """

    @property
    def location(self) -> str:
        """The folder or address, without a password."""

    def ping(self) -> None:
        """Raise StoreUnavailable when the store cannot be reached."""

    def indexes(self) -> list[IndexInfo]:
        """The indexes of this product in the store, by name; generations still being built are left out."""

    def open(self, name: str) -> Index:
        """The live generation of *name*, cheap enough for every request.

        Raises IndexNotFound, naming the indexes there are.
        """

    def create(self, name: str, spec: IndexSpec) -> Index:
        """Start a new, empty generation of *name*, invisible until published; an unfinished one is thrown away.

        Raises IndexConflict when *name* belongs to an index that this product did not make.
        """

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        """The generation of *name* that was created and never published, if there is one."""

    def publish(self, index: Index) -> None:
        """Make *index* the live generation of its name, in one step, and drop the one before.

        Does nothing when it is live already (two runs that built it together both publish it). Raises IndexConflict
        when another run has thrown it away.
        """

    def delete(self, name: str) -> None:
        """Remove *name*, all its generations and aliases; of an alias, only the alias. Raises IndexNotFound."""

    def alias(self, name: str, target: str) -> None:
        """Let *name* lead to the index *target* as well. Raises IndexNotFound, or IndexConflict when *name* is taken
        by an index."""

    def aliases(self) -> Mapping[str, str]:
        """Every alias and the index that it leads to."""

    def close(self) -> None:
        """Release connections and files."""
