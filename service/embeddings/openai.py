"""POST /v1/embeddings: the API of OpenAI, which Jina, Voyage AI, NVIDIA, vLLM, infinity and TEI share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from rerank.core.errors import InvalidRequest
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
from rerank.service.tolerant_model import Count, Flag, Milliseconds, TolerantModel
from rerank.service.validation import check_unicode

_INPUT = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_INPUTS}]
}


class EmbeddingsBody(TolerantModel):
    """A request of the clients of OpenAI's embeddings."""

    input: Annotated[Any, WithJsonSchema(_INPUT)] = Field(description="A text, or a list of texts.")
    model: str | None = Field(None, description="Encoder to use: a name from GET /models, or default.")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="Format of the vectors; default: float."
    )
    dimensions: Count = Field(None, description="Must be the number of dimensions of the encoder.")
    output_dimension: Count = Field(None, description="Voyage AI's name of dimensions.")
    input_type: str | None = Field(None, description="Use of the texts: query, or document (default).")
    task: str | None = Field(None, description="Jina's name of input_type, such as retrieval.query.")
    truncate: str | None = Field(
        None, description="End at which to truncate long texts: START, END (default), or NONE."
    )
    truncation: Flag = Field(None, description="Voyage AI: false rejects a text that exceeds the model's length.")
    timeout_ms: Milliseconds = Field(None, description="Time budget in milliseconds.")
    user: Any = Field(None, description=IGNORED)

    def texts(self) -> list[str]:
        """Returns the texts. Raises InvalidRequest for token ids, an empty list and invalid Unicode."""
        texts = [self.input] if isinstance(self.input, str) else self.input
        if not isinstance(texts, list) or not texts:
            raise InvalidRequest('"input" must be a text or a list of texts', field="input")
        if len(texts) > MAX_INPUTS:
            raise InvalidRequest(f'"input" must have at most {MAX_INPUTS:,} items, got {len(texts):,}', field="input")
        if not all(isinstance(text, str) for text in texts):
            raise InvalidRequest(
                '"input" must contain texts, not token ids. In LangChain, set check_embedding_ctx_length=False',
                field="input",
            )
        check_unicode(texts, "input")
        return texts

    @property
    def role(self) -> TextRole:
        """Use of the texts."""
        return text_role(self.input_type or self.task)

    @property
    def policy(self) -> LongTextPolicy:
        """Treatment of long texts."""
        return LongTextPolicy.REFUSE if self.truncation is False else truncation_policy(self.truncate)

    def check(self, dim: int) -> None:
        """Raises InvalidRequest for another number of dimensions than *dim*."""
        check_dimensions(self.dimensions, dim=dim, field="dimensions")
        check_dimensions(self.output_dimension, dim=dim, field="output_dimension")

    def to_response(self, embeddings: Embeddings, model: str) -> dict[str, object]:
        """Returns the vectors in the order of the request."""
        in_base64 = self.encoding_format == "base64"
        vectors = as_base64(embeddings.vectors) if in_base64 else as_lists(embeddings.vectors)
        return {
            "object": "list",
            "data": [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)],
            "model": model,
            "usage": {"prompt_tokens": embeddings.tokens, "total_tokens": embeddings.tokens},
        }


class TextEmbedding(StrictModel):
    """The vector of a text, as numbers or in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsResponse(StrictModel):
    """The vectors, in the order of the request."""

    object: Literal["list"]
    data: list[TextEmbedding]
    model: str
    usage: dict[str, int]
