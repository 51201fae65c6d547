"""Checks of vector lengths: all vectors of an index have the same length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import EncodedDocument
from rerank.core.errors import EncoderMismatch
from rerank.core.protocols import Index


def check_document_vectors(index: Index, documents: Sequence[EncodedDocument]) -> None:
    """Raises EncoderMismatch unless every passage of *documents* has a vector of the index's length."""
    for entry in documents:
        if entry.vectors.shape != (len(entry.passages), index.spec.encoder.dim):
            raise _mismatch(index, entry.vectors.shape[-1], f'document "{entry.document.doc_id}"')


def check_query_vector(index: Index, vector: NDArray[np.float32]) -> None:
    """Raises EncoderMismatch unless *vector* (dim,) has the index's length."""
    if len(vector) != index.spec.encoder.dim:
        raise _mismatch(index, len(vector), "the query")


def _mismatch(index: Index, length: int, source: str) -> EncoderMismatch:
    return EncoderMismatch(
        f'Vectors of index "{index.name}" must have length {index.spec.encoder.dim}, got {length} for {source}. '
        f'Use the encoder that built the index, "{index.spec.encoder.name}".'
    )
