"""The offline road, one batch at a time: check, skip what is unchanged, cut, encode, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rerank.core.chunking import Chunker
from rerank.core.document import Document, EncodedDocument, MetadataValue, Passage, RejectedDocument, Vectors
from rerank.core.errors import CorpusError
from rerank.core.metadata import clean_metadata
from rerank.core.pipeline import check_encoder
from rerank.core.protocols import Encoder, Index

MAX_ID_BYTES = 500
"""OpenSearch's longest key is 512 bytes; the rest numbers a document's passages."""


@dataclass(frozen=True, slots=True)
class AddOutcome:
    """What became of a batch, in documents (and the passages of the indexed ones).

    `skipped` were there already with the same content; `duplicates` came again later in the same batch.
    """

    indexed: int = 0
    passages: int = 0
    skipped: int = 0
    duplicates: int = 0
    rejected: tuple[RejectedDocument, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A batch ready to be written, and what was found out on the way there."""

    documents: tuple[EncodedDocument, ...]
    skipped: int
    duplicates: int
    rejected: tuple[RejectedDocument, ...]


class Indexer:
    """Adds documents to one index. Raises EncoderMismatch when the index holds another encoder's vectors."""

    def __init__(self, index: Index, encoder: Encoder, *, chunker: Chunker | None = None) -> None:
        check_encoder(index, encoder)
        self._index = index
        self._encoder = encoder
        self._chunker = chunker or Chunker(encoder)

    def add(self, documents: Sequence[Document]) -> AddOutcome:
        """Write *documents*, each replacing what the index holds under its id; of equal ids the last one counts.

        Documents that are unchanged, and would be cut as they are, are not encoded. Raises StoreError and ModelError.
        """
        return self.write(self.encode(documents))

    def encode(self, documents: Sequence[Document]) -> EncodedBatch:
        """The half of add() that reads: everything up to the vectors. Nothing is written."""
        good: dict[str, Document] = {}
        rejected: list[RejectedDocument] = []
        for document in documents:
            try:
                good[document.doc_id] = validated(document)
            except CorpusError as exc:
                rejected.append(RejectedDocument(document.doc_id, exc.message))
        stored = self._index.content_hashes(list(good)) if good else {}
        recipe = self._chunker.recipe
        hashes = {doc_id: document.content_hash(recipe) for doc_id, document in good.items()}
        fresh = [document for doc_id, document in good.items() if stored.get(doc_id) != hashes[doc_id]]
        cut = self._chunker.cut(fresh) if fresh else []
        vectors = self._vectors(cut)
        encoded = tuple(
            EncodedDocument(document, passages, rows, hashes[document.doc_id])
            for document, passages, rows in zip(fresh, cut, vectors, strict=True)
        )
        duplicates = len(documents) - len(rejected) - len(good)
        return EncodedBatch(encoded, len(good) - len(fresh), duplicates, tuple(rejected))

    def write(self, batch: EncodedBatch) -> AddOutcome:
        """The half of add() that writes."""
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

    def _vectors(self, cut: Sequence[tuple[Passage, ...]]) -> list[Vectors]:
        """The vectors of each document's passages. One call for all: the encoder batches texts of like length."""
        if not cut:
            return []
        vectors = self._encoder.encode_documents([passage.headed_text for passages in cut for passage in passages])
        return np.split(vectors, np.cumsum([len(passages) for passages in cut])[:-1])


def validated(document: Document) -> Document:
    """*document* as it is stored: NUL becomes a blank, a title without a text becomes the text, nulls are left out.

    Raises CorpusError (MetadataError for metadata) for a blank or too long id, for nothing to read in both text and
    title, for text that is not valid Unicode, and for metadata that no field can hold.
    """
    _check_id(document.doc_id)
    title, text = _clean("title", document.title), _clean("text", document.text)
    if not text.strip():
        title, text = "", title
    if not text.strip():
        raise CorpusError("the text is blank, and there is no title to stand for it")
    for name in document.metadata:
        _check_name(f"the metadata field {name!a}", name)
    metadata = {
        name: _clean_value(f'metadata field "{name}"', value)
        for name, value in clean_metadata(document.metadata).items()
    }
    return Document(document.doc_id, text, title, metadata)


def _check_id(doc_id: str) -> None:
    if not doc_id.strip():
        raise CorpusError("the id is blank; each document needs one of its own")
    _check_name("the id", doc_id)
    length = len(doc_id.encode())
    if length > MAX_ID_BYTES:
        raise CorpusError(f"the id is {length} bytes long; at most {MAX_ID_BYTES} are allowed")


def _check_name(what: str, name: str) -> None:
    _check_unicode(what, name)
    if "\0" in name:
        raise CorpusError(f"{what} holds a NUL character")


def _check_unicode(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise CorpusError(f"{what} is not valid Unicode (lone surrogate at character {exc.start})") from exc


def _clean(what: str, text: str) -> str:
    """A blank for every NUL, which neither a model nor every store reads: offsets stay what they were."""
    _check_unicode(what, text)
    return text.replace("\0", " ")


def _clean_value(what: str, value: MetadataValue) -> MetadataValue:
    if isinstance(value, str):
        return _clean(what, value)
    if isinstance(value, list):
        return [_clean(what, member) if isinstance(member, str) else member for member in value]  # type: ignore[return-value]  # members keep their types
    return value
