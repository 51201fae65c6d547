"""Documents, and the passages they are cut into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Scalar = str | int | float | bool
MetadataValue = Scalar | list[str] | list[int] | list[float] | list[bool]
Metadata = Mapping[str, MetadataValue]
Vectors = NDArray[np.float32]
"""float32 (n, dim), rows of unit length."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a user ingests and finds again: `doc_id` is unique in an index, `text` is never blank."""

    doc_id: str
    text: str
    title: str = ""
    metadata: Metadata = field(default_factory=dict)

    def content_hash(self, recipe: str = "") -> str:
        """Hash of everything that is stored: equal hashes mean that nothing needs to be encoded again.

        *recipe* stands for how passages are made of a document (Chunker.recipe); the encoder is the index's own.
        """
        content = json.dumps([self.title, self.text, dict(self.metadata), recipe], sort_keys=True, ensure_ascii=True)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that fits the model: `text == document.text[start:end]`, in characters.

    `ordinal` counts the pieces of one document from 0.
    """

    doc_id: str
    ordinal: int
    title: str
    text: str
    start: int
    end: int

    @property
    def passage_id(self) -> str:
        """Unique in an index."""
        return f"{self.doc_id}#{self.ordinal}"

    @property
    def headed_text(self) -> str:
        """The text as every model reads it: headed by its title."""
        return headed(self.title, self.text)


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document ready to be written: its passages and their vectors, float32 (len(passages), dim)."""

    document: Document
    passages: tuple[Passage, ...]
    vectors: Vectors
    content_hash: str


@dataclass(frozen=True, slots=True)
class RejectedDocument:
    """A document that was not written, and why."""

    doc_id: str
    reason: str


def headed(title: str, text: str) -> str:
    """*text* headed by its *title*, as documents are encoded and re-ranked."""
    return f"{title} {text}".strip()
