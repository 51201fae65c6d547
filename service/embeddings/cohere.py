"""POST /v2/embed and /v1/embed: the API of Cohere."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import Field

from rerank.core.long_texts import LongTextPolicy
from rerank.core.text_embedder import Embeddings, TextRole
from rerank.service.embeddings.vectors import (
    MAX_INPUTS,
    as_base64,
    as_lists,
    check_dimensions,
    text_role,
    truncation_policy,
)
from rerank.service.request_models import IGNORED
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Count, Milliseconds, TolerantModel
from rerank.service.validation import check_unicode

EmbeddingType = Literal["float", "base64"]


class CohereEmbedBody(TolerantModel):
    """A request of Cohere's clients for vectors."""

    texts: list[str] = Field(min_length=1, max_length=MAX_INPUTS, description="Texts to embed.")
    model: str | None = Field(None, description="Encoder to use: a name from GET /models, or default.")
    input_type: str | None = Field(None, description="Use of the texts: search_query, or search_document (default).")
    embedding_types: list[EmbeddingType] | None = Field(None, description="Formats of the vectors; default: float.")
    truncate: str | None = Field(
        None, description="End at which to truncate long texts: START, END (default), or NONE."
    )
    output_dimension: Count = Field(None, description="Must be the number of dimensions of the encoder.")
    timeout_ms: Milliseconds = Field(None, description="Time budget in milliseconds.")
    max_tokens: Any = Field(None, description=IGNORED)
    priority: Any = Field(None, description=IGNORED)

    @property
    def role(self) -> TextRole:
        """Use of the texts."""
        return text_role(self.input_type)

    @property
    def policy(self) -> LongTextPolicy:
        """Treatment of long texts."""
        return truncation_policy(self.truncate)

    def check(self, dim: int) -> None:
        """Raises InvalidRequest for another number of dimensions than *dim*, and for invalid Unicode."""
        check_unicode(self.texts, "texts")
        check_dimensions(self.output_dimension, dim=dim, field="output_dimension")

    def to_response(self, embeddings: Embeddings, *, version: str) -> dict[str, object]:
        """Returns the vectors by type. Version 1 returns a list of vectors unless the request names types."""
        by_type = version == "2" or self.embedding_types is not None
        vectors: dict[str, object] = {}
        for kind in self.embedding_types or ["float"]:
            vectors[kind] = as_lists(embeddings.vectors) if kind == "float" else as_base64(embeddings.vectors)
        return {
            "id": str(uuid.uuid4()),
            "response_type": "embeddings_by_type" if by_type else "embeddings_floats",
            "embeddings": vectors if by_type else vectors["float"],
            "texts": self.texts,
            "meta": {
                "api_version": {"version": version, "is_experimental": False},
                "billed_units": {"input_tokens": embeddings.tokens},
            },
        }


class CohereEmbedResponse(StrictModel):
    """The vectors, in the order of the texts."""

    id: str
    response_type: Literal["embeddings_by_type", "embeddings_floats"]
    embeddings: dict[str, list[list[float]] | list[str]] | list[list[float]]
    texts: list[str]
    meta: dict[str, Any]
