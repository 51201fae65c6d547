"""The length of vectors: an index holds vectors of one length, and compares no others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import EncodedDocument
from rerank.core.errors import EncoderMismatch
from rerank.core.protocols import Index


def check_documents(index: Index, documents: Sequence[EncodedDocument]) -> None:
    """Raise EncoderMismatch unless each passage of *documents* has a vector of the length that *index* holds."""
    dim = index.spec.encoder.dim
    for entry in documents:
        if entry.vectors.shape != (len(entry.passages), dim):
            raise EncoderMismatch(
                f'index "{index.name}" holds vectors of {dim} numbers, but document "{entry.document.doc_id}" '
                f"comes with {entry.vectors.shape[-1]}: use the encoder that the index was built with"
            )


def check_query(index: Index, vector: NDArray[np.float32]) -> None:
    """Raise EncoderMismatch unless *vector* (dim,) is as long as those that *index* holds."""
    dim = index.spec.encoder.dim
    if len(vector) != dim:
        raise EncoderMismatch(
            f'index "{index.name}" holds vectors of {dim} numbers, not of {len(vector)}: use the encoder that the '
            f"index was built with"
        )
