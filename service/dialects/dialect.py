"""The interface of a dialect, and the rerank call that every dialect is translated to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, Field, field_validator

from rerank.core.errors import RerankError
from rerank.core.long_texts import BEST_WINDOW, LengthLimits
from rerank.core.search import check_query
from rerank.service.dialects.ranking import TextRanking
from rerank.service.tolerant_model import Count, Milliseconds, TolerantModel
from rerank.service.validation import check_unicode

TOP_N = "Number of results to return; default: all. 0 also returns all."
QUERY = "Query text."
TEXTS = "Texts to rerank."
RETURN_TEXTS = "true: include the text in each result."
RAW_SCORES = "true: return logits instead of probabilities."


@dataclass(frozen=True)
class RerankCall:
    """A request to rerank texts for a query.

    model: None for the default. top_n: None for all results. raw_scores: logits instead of probabilities.
    return_texts: include the text in each result. timeout_ms: None for no limit. ignored: keys of the request that had
    no effect.
    """

    query: str
    texts: Sequence[str]
    model: str | None = None
    top_n: int | None = None
    raw_scores: bool = False
    return_texts: bool = False
    limits: LengthLimits = BEST_WINDOW
    timeout_ms: int | None = None
    ignored: tuple[str, ...] = ()

    def returned_text(self, index: int, key: str) -> dict[str, object]:
        """Returns text *index* under *key*, or nothing if the client did not request the texts."""
        return {key: self.texts[index]} if self.return_texts else {}


@dataclass(frozen=True)
class Endpoint:
    """The matched route of a request, the model name in its path, and its query string."""

    rule: str
    model: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


class DialectBody(TolerantModel):
    """Base class of request bodies. Every dialect accepts a model, a time budget and a number of results."""

    model: str | None = Field(None, description="Reranker to use: a name from GET /models, or default.")
    timeout_ms: Milliseconds = Field(
        None,
        description="Time budget in milliseconds; unscored texts follow the scored ones, in request order.",
    )
    top_n: Count = Field(None, description=TOP_N)
    instruction: str | None = Field(
        None, description="Instruction for the model. A model without instructions ignores it."
    )

    @field_validator("model")
    @classmethod
    def _empty_model_is_default(cls, model: str | None) -> str | None:
        """Returns None for an empty name, which clients without a configured model send."""
        return model or None

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call. Raises InvalidRequest for texts that no model accepts."""
        raise NotImplementedError

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:
        """Returns *ranking* as the JSON that clients of this dialect expect."""
        raise NotImplementedError


class HeadersOf(Protocol):
    """Function that returns additional response headers of a dialect."""

    def __call__(self, call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:
        """Returns the headers by name."""


def no_headers(call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:  # noqa: ARG001
    """Returns no additional headers."""
    return {}


@dataclass(frozen=True)
class Dialect:
    """The request and response format of one family of clients.

    statuses: HTTP statuses of errors that differ from errors.STATUS. headers: additional response headers.
    """

    body: type[DialectBody]
    response: type[BaseModel]
    statuses: Mapping[type[RerankError], int] = field(default_factory=dict)
    headers: HeadersOf = no_headers


def check_texts(query: str, texts: Sequence[str], *, key: str) -> None:
    """Raises InvalidRequest for a blank query and for invalid Unicode. *key*: the key of the texts in the body."""
    check_query(query)
    check_unicode(list(texts), key)


def as_list(value: object) -> object:
    """Returns a single string as a list of one, and any other value unchanged."""
    return [value] if isinstance(value, str) else value
