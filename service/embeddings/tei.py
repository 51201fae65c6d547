"""POST /embed, /similarity and /tokenize: the API of Hugging Face's text-embeddings-inference (TEI)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, RootModel

from rerank.core.errors import EmptyRequest, InvalidRequest
from rerank.core.long_texts import LongTextPolicy
from rerank.core.search import rounded
from rerank.core.text_embedder import Embeddings, TextRole, Token
from rerank.service.dialects.dialect import as_list
from rerank.service.embeddings.vectors import MAX_INPUTS, text_role
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Count, Flag, Milliseconds, TolerantModel
from rerank.service.validation import check_unicode

Inputs = Annotated[list[str], BeforeValidator(as_list), Field(max_length=MAX_INPUTS)]


class _InputsBody(TolerantModel):
    """A request with texts in `inputs`."""

    inputs: Inputs = Field(description="A text, or a list of texts.")
    model: str | None = Field(None, description="Encoder to use: a name from GET /models, or default.")
    prompt_name: str | None = Field(None, description="Use of the texts: query, or document (default).")

    def texts(self) -> list[str]:
        """Returns the texts. Raises EmptyRequest without texts, and InvalidRequest for invalid Unicode."""
        if not self.inputs:
            raise EmptyRequest('"inputs" must not be empty', field="inputs")
        check_unicode(self.inputs, "inputs")
        return self.inputs

    @property
    def role(self) -> TextRole:
        """Use of the texts."""
        return text_role(self.prompt_name)


class EmbedBody(_InputsBody):
    """A request of TEI's clients for vectors."""

    truncate: Flag = Field(None, description="false: reject a text that exceeds the model's length.")
    truncation_direction: Literal["right", "left", "Right", "Left"] | None = Field(
        None, description="End at which to truncate; default: right."
    )
    normalize: Flag = Field(None, description="Must not be false: vectors have unit length.")
    dimensions: Count = Field(None, description="Must be the number of dimensions of the encoder.")
    timeout_ms: Milliseconds = Field(None, description="Time budget in milliseconds.")

    @property
    def policy(self) -> LongTextPolicy:
        """Treatment of long texts."""
        if self.truncate is False:
            return LongTextPolicy.REFUSE
        is_left = (self.truncation_direction or "").lower() == "left"
        return LongTextPolicy.CUT_START if is_left else LongTextPolicy.CUT_END

    def check(self) -> None:
        """Raises InvalidRequest for vectors of another length."""
        if self.normalize is False:
            raise InvalidRequest('"normalize" must be true: all vectors have unit length', field="normalize")


class TokenizeBody(_InputsBody):
    """A request of TEI's clients for tokens."""

    add_special_tokens: Flag = Field(None, description="false: leave out special tokens.")


class SimilarityInputs(TolerantModel):
    """A sentence, and the sentences to compare it with."""

    source_sentence: str
    sentences: list[str] = Field(min_length=1, max_length=MAX_INPUTS)


class SimilarityParameters(TolerantModel):
    """Options of a comparison."""

    prompt_name: str | None = None


class SimilarityBody(TolerantModel):
    """A request of TEI's clients for cosines."""

    inputs: SimilarityInputs = Field(description="A sentence, and the sentences to compare it with.")
    parameters: SimilarityParameters | None = Field(None, description="Options.")
    model: str | None = Field(None, description="Encoder to use: a name from GET /models, or default.")
    timeout_ms: Milliseconds = Field(None, description="Time budget in milliseconds.")

    def texts(self) -> list[str]:
        """Returns the sentence and the sentences to compare it with. Raises InvalidRequest for invalid Unicode."""
        texts = [self.inputs.source_sentence, *self.inputs.sentences]
        check_unicode(texts, "inputs")
        return texts

    @property
    def role(self) -> TextRole:
        """Use of all texts: a similarity is symmetric."""
        return text_role(self.parameters.prompt_name if self.parameters else None)

    def to_response(self, embeddings: Embeddings) -> list[float]:
        """Returns the cosine of the first text with each other text."""
        return [rounded(float(cosine)) for cosine in embeddings.vectors[1:] @ embeddings.vectors[0]]


class EmbedResponse(RootModel[list[list[float]]]):
    """The vectors, in the order of the request."""


class SimilarityResponse(RootModel[list[float]]):
    """The cosines, in the order of the sentences."""


class TokenDescription(StrictModel):
    """A token; start and stop are positions of characters."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class TokenizeResponse(RootModel[list[list[TokenDescription]]]):
    """The tokens of each text."""


def described(tokens: Sequence[Token]) -> list[dict[str, object]]:
    """Returns *tokens* as JSON."""
    return [
        {"id": token.id, "text": token.text, "special": token.special, "start": token.start, "stop": token.stop}
        for token in tokens
    ]
