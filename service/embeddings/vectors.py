"""Vectors as JSON values, and the roles that clients name."""

from __future__ import annotations

import base64

import numpy as np

from rerank.core.document import Vectors
from rerank.core.errors import InvalidRequest
from rerank.core.long_texts import LongTextPolicy
from rerank.core.text_embedder import TextRole

MAX_INPUTS = 2048
"""Number of texts that one request may embed, as in OpenAI's API."""

_DECIMALS = 8
_POLICIES = {"NONE": LongTextPolicy.REFUSE, "START": LongTextPolicy.CUT_START, "END": LongTextPolicy.CUT_END}


def as_lists(vectors: Vectors) -> list[list[float]]:
    """Returns float32 *vectors* (n, dim) as lists, rounded to eight decimals, which keeps responses short."""
    rounded: list[list[float]] = np.round(vectors.astype(np.float64), _DECIMALS).tolist()
    return rounded


def as_base64(vectors: Vectors) -> list[str]:
    """Returns each row of *vectors* (n, dim) as base64 of little-endian float32, as in OpenAI's API."""
    return [base64.b64encode(row.astype("<f4").tobytes()).decode("ascii") for row in vectors]


def text_role(name: str | None) -> TextRole:
    """Returns the role that a client names, such as search_query, retrieval.query or passage; default: document."""
    return "query" if name is not None and "query" in name.lower() else "document"


def truncation_policy(name: str | None) -> LongTextPolicy:
    """Returns the policy that Cohere's and NVIDIA's clients name: NONE, START or END (default)."""
    try:
        return _POLICIES[(name or "END").upper()]
    except KeyError as exc:
        raise InvalidRequest(f'"truncate" must be one of NONE, START, END, got "{name}"', field="truncate") from exc


def check_dimensions(dimensions: int | None, *, dim: int, field: str) -> None:
    """Raises InvalidRequest for another number of dimensions than the encoder's *dim*."""
    if dimensions is not None and dimensions != dim:
        raise InvalidRequest(
            f'"{field}" must be {dim}, the number of dimensions of this encoder, got {dimensions}', field=field
        )
