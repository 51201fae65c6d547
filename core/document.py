"""Documents and their passages."""

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
    """Unit of ingestion and retrieval. `doc_id` is unique in an index; `text` is never blank."""

    doc_id: str
    text: str
    title: str = ""
    metadata: Metadata = field(default_factory=dict)

    def content_hash(self, rules_id: str = "") -> str:
        """Returns a hash of all stored fields: a document with an unchanged hash needs no new vectors.

        *rules_id* identifies the rules that split the text into passages (`Chunker.rules_id`).
        """
        content = json.dumps([self.title, self.text, dict(self.metadata), rules_id], sort_keys=True, ensure_ascii=True)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a document that fits the model: `text == document.text[start:end]`, in characters.

    `ordinal` numbers the passages of a document from 0.
    """

    doc_id: str
    ordinal: int
    title: str
    text: str
    start: int
    end: int

    @property
    def passage_id(self) -> str:
        """Identifier that is unique in an index."""
        return f"{self.doc_id}#{self.ordinal}"

    @property
    def headed_text(self) -> str:
        """Title and text, the input of every model."""
        return headed(self.title, self.text)


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """Document with its passages and their vectors, float32 (len(passages), dim), ready to store."""

    document: Document
    passages: tuple[Passage, ...]
    vectors: Vectors
    content_hash: str


@dataclass(frozen=True, slots=True)
class RejectedDocument:
    """Document that was not stored, with the reason."""

    doc_id: str
    reason: str


def headed(title: str, text: str) -> str:
    """Returns *title* and *text* as one string, stripped: the model input for a passage."""
    return f"{title} {text}".strip()
