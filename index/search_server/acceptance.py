"""Selection of the documents that an index in a search server accepts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rerank.core.document import EncodedDocument, RejectedDocument
from rerank.core.errors import MetadataError
from rerank.core.metadata import MetadataSchema

MAX_ID_BYTES = 512


def possible_ids(doc_ids: Iterable[str]) -> list[str]:
    """Returns the distinct *doc_ids* that a document can have. The server refuses requests with other ids."""
    return [doc_id for doc_id in dict.fromkeys(doc_ids) if 0 < len(doc_id.encode()) <= MAX_ID_BYTES]


def split_by_id_length(
    documents: Sequence[EncodedDocument],
) -> tuple[list[EncodedDocument], list[RejectedDocument]]:
    """Returns the documents with ids that the server accepts, and the rejections of the others."""
    # A single id that is too long would make the server refuse the whole bulk request.
    accepted, rejected = [], []
    for entry in documents:
        length = len(entry.document.doc_id.encode())
        if length > MAX_ID_BYTES:
            reason = f"the id must be at most {MAX_ID_BYTES} bytes long, got {length} bytes"
            rejected.append(RejectedDocument(entry.document.doc_id, reason))
        else:
            accepted.append(entry)
    return accepted, rejected


def split_by_schema(
    documents: Sequence[EncodedDocument], schema: MetadataSchema
) -> tuple[MetadataSchema, list[EncodedDocument], list[RejectedDocument]]:
    """Returns *schema* with the new fields, the documents whose metadata fits, and the rejections of the others."""
    accepted, rejected = [], []
    for entry in documents:
        try:
            schema = schema.extended(entry.document.metadata)
        except MetadataError as exc:
            rejected.append(RejectedDocument(entry.document.doc_id, exc.message))
        else:
            accepted.append(entry)
    return schema, accepted, rejected
