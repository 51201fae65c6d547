"""Indexing of one batch: validate, skip unchanged documents, split into passages, encode, store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rerank.core.chunking import MAX_PASSAGES, Chunker
from rerank.core.document import Document, EncodedDocument, MetadataValue, Passage, RejectedDocument, Vectors
from rerank.core.errors import CorpusError
from rerank.core.metadata import clean_metadata
from rerank.core.pipeline import check_encoder
from rerank.core.protocols import Encoder, Index

MAX_ID_BYTES = 500
"""OpenSearch ids have at most 512 bytes; the remaining bytes are for the passage number."""
MAX_TITLE_CHARS = 2_000
"""Maximum length of a title, which is stored with every passage."""
MAX_TEXT_CHARS = 2_000_000
"""Maximum length of a text."""
WRITE_CHARS = 2_000_000
"""Number of characters from which `Indexer.add` writes the documents so far: a limit of memory."""


@dataclass(frozen=True, slots=True)
class AddOutcome:
    """Result of a batch in documents, and the number of passages of the indexed ones.

    skipped: unchanged documents. duplicates: documents replaced by a later one with the same id in the batch.
    rejected: documents that were left out, with the reason.
    """

    indexed: int = 0
    passages: int = 0
    skipped: int = 0
    duplicates: int = 0
    rejected: tuple[RejectedDocument, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Batch ready to store, with the documents left out of it."""

    documents: tuple[EncodedDocument, ...]
    skipped: int
    duplicates: int
    rejected: tuple[RejectedDocument, ...]


class Indexer:
    """Indexer of one index. Raises EncoderMismatch if the index was built with a different encoder."""

    def __init__(self, index: Index, encoder: Encoder, *, chunker: Chunker | None = None) -> None:
        check_encoder(index, encoder)
        self._index = index
        self._encoder = encoder
        self._chunker = chunker or Chunker(encoder)

    def add(self, documents: Sequence[Document]) -> AddOutcome:
        """Stores *documents*, replacing documents with the same ids. Of several documents with the
        same id, the last one is stored.

        Unchanged documents are not encoded. Raises StoreError and ModelError; some of the documents can be stored then.
        """
        changed = self._changed(documents)
        indexed = passages = 0
        rejected = list(changed.rejected)
        for part in _parts(changed.documents):
            written = self.write(self._encoded(replace(changed, documents=part, rejected=())))
            indexed, passages = indexed + written.indexed, passages + written.passages
            rejected += written.rejected
        return AddOutcome(indexed, passages, changed.skipped, changed.duplicates, tuple(rejected))

    def encode(self, documents: Sequence[Document]) -> EncodedBatch:
        """Returns the validated and encoded batch without storing it. `write` stores it."""
        return self._encoded(self._changed(documents))

    def _changed(self, documents: Sequence[Document]) -> _ChangedDocuments:
        valid: dict[str, Document] = {}
        rejected: list[RejectedDocument] = []
        for document in documents:
            try:
                valid[document.doc_id] = validated(document)
            except CorpusError as exc:
                rejected.append(RejectedDocument(document.doc_id, exc.message))
        stored = self._index.content_hashes(list(valid)) if valid else {}
        rules_id = self._chunker.rules_id
        hashes = {doc_id: document.content_hash(rules_id) for doc_id, document in valid.items()}
        changed = tuple(document for doc_id, document in valid.items() if stored.get(doc_id) != hashes[doc_id])
        duplicates = len(documents) - len(rejected) - len(valid)
        return _ChangedDocuments(changed, hashes, len(valid) - len(changed), duplicates, tuple(rejected))

    def _encoded(self, changed: _ChangedDocuments) -> EncodedBatch:
        split = list(zip(changed.documents, self._chunker.passages(changed.documents), strict=True))
        kept = [(document, passages) for document, passages in split if passages]
        vectors = self._vectors([passages for _, passages in kept])
        encoded = tuple(
            EncodedDocument(document, passages, rows, changed.hashes[document.doc_id])
            for (document, passages), rows in zip(kept, vectors, strict=True)
        )
        too_long = tuple(too_many_passages(document) for document, passages in split if not passages)
        return EncodedBatch(encoded, changed.skipped, changed.duplicates, changed.rejected + too_long)

    def write(self, batch: EncodedBatch) -> AddOutcome:
        """Stores *batch*."""
        refused = self._index.upsert(batch.documents) if batch.documents else []
        refused_ids = {rejection.doc_id for rejection in refused}
        written = [entry for entry in batch.documents if entry.document.doc_id not in refused_ids]
        return AddOutcome(
            indexed=len(written),
            passages=sum(len(entry.passages) for entry in written),
            skipped=batch.skipped,
            duplicates=batch.duplicates,
            rejected=batch.rejected + tuple(refused),
        )

    def _vectors(self, passages_by_document: Sequence[tuple[Passage, ...]]) -> list[Vectors]:
        """Returns the vectors of each document's passages, from one call, so that the encoder batches by length."""
        if not passages_by_document:
            return []
        vectors = self._encoder.encode_documents(
            [passage.headed_text for passages in passages_by_document for passage in passages]
        )
        return np.split(vectors, np.cumsum([len(passages) for passages in passages_by_document])[:-1])


@dataclass(frozen=True, slots=True)
class _ChangedDocuments:
    """Valid documents that the index does not contain yet. hashes: content hashes by id, also of unchanged ones."""

    documents: tuple[Document, ...]
    hashes: Mapping[str, str]
    skipped: int
    duplicates: int
    rejected: tuple[RejectedDocument, ...]


def _parts(documents: Sequence[Document]) -> Iterator[tuple[Document, ...]]:
    """Yields *documents* in order, in parts that end once they have WRITE_CHARS characters."""
    part: list[Document] = []
    characters = 0
    for document in documents:
        part.append(document)
        characters += len(document.text)
        if characters >= WRITE_CHARS:
            yield tuple(part)
            part, characters = [], 0
    if part:
        yield tuple(part)


def too_many_passages(document: Document) -> RejectedDocument:
    """Returns the rejection of a document for which the chunker returned no passages."""
    return RejectedDocument(
        document.doc_id,
        f"a document must have at most {MAX_PASSAGES:,} passages. Split the document, for example by chapter",
    )


def validated(document: Document) -> Document:
    """Returns *document* in its stored form: a space replaces NUL, and the title replaces a blank text.

    Raises CorpusError for a blank or long id, for blank text and title, for a long text or title, and for text that is
    not valid Unicode, and MetadataError for metadata of a wrong type.
    """
    _check_id(document.doc_id)
    title, text = _clean("title", document.title), _clean("text", document.text)
    if not text.strip():
        title, text = "", title
    if not text.strip():
        raise CorpusError("text and title are both blank. Set at least one of them")
    _check_length("title", title, MAX_TITLE_CHARS, "Shorten the title, or move it to the text")
    _check_length("text", text, MAX_TEXT_CHARS, "Split the document, for example by chapter")
    for name in document.metadata:
        _check_name(f"the metadata field {name!a}", name)
    metadata = {
        name: _clean_value(f'metadata field "{name}"', value)
        for name, value in clean_metadata(document.metadata).items()
    }
    return Document(document.doc_id, text, title, metadata)


def _check_id(doc_id: str) -> None:
    if not doc_id.strip():
        raise CorpusError("the id is blank. Give each document a unique id")
    _check_name("the id", doc_id)
    length = len(doc_id.encode())
    if length > MAX_ID_BYTES:
        raise CorpusError(f"the id must have at most {MAX_ID_BYTES} bytes, got {length}")


def _check_length(label: str, text: str, limit: int, fix: str) -> None:
    if len(text) > limit:
        raise CorpusError(f"the {label} must have at most {limit:,} characters, got {len(text):,}. {fix}")


def _check_name(label: str, name: str) -> None:
    _check_unicode(label, name)
    if "\0" in name:
        raise CorpusError(f"{label} must not contain a NUL character. Remove it")


def _check_unicode(label: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise CorpusError(f"{label} is not valid Unicode (lone surrogate at character {exc.start})") from exc


def _clean(label: str, text: str) -> str:
    """Returns *text* with spaces in place of NUL, which models and some stores reject. Offsets do not change."""
    _check_unicode(label, text)
    return text.replace("\0", " ")


def _clean_value(label: str, value: MetadataValue) -> MetadataValue:
    if isinstance(value, str):
        return _clean(label, value)
    if isinstance(value, list):
        return [_clean(label, member) if isinstance(member, str) else member for member in value]  # type: ignore[return-value]  # members keep their types
    return value
