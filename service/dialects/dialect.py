"""What is asked for, whatever the dialect, and what a dialect is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, Field, field_validator

from rerank.core.errors import RerankError
from rerank.core.long_texts import BEST_WINDOW, LengthLimits
from rerank.core.search import check_query
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_body import check_unicode
from rerank.service.request_models import MAX_TIMEOUT_MS
from rerank.service.strict_model import StrictModel


@dataclass(frozen=True)
class RerankCall:
    """Texts to be ordered by a query.

    model None: the default one. top_n None: all texts are answered. raw_scores: logits instead of probabilities.
    return_texts: each result carries its text. timeout_ms None: no limit.
    """

    query: str
    texts: Sequence[str]
    model: str | None = None
    top_n: int | None = None
    raw_scores: bool = False
    return_texts: bool = False
    limits: LengthLimits = BEST_WINDOW
    timeout_ms: int | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where a call was sent, as far as dialects read it: the rule that matched, the model in it, the query string."""

    rule: str
    model: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


class DialectBody(StrictModel):
    """A request's body in some dialect; every one may also name a model and a time limit, as our own requests do."""

    model: str | None = Field(None, description="A reranker of GET /models, or default.")
    timeout_ms: int | None = Field(
        None, ge=1, le=MAX_TIMEOUT_MS, description="Time for scoring; what it leaves out follows in its own order."
    )

    @field_validator("model")
    @classmethod
    def _blank_is_the_default(cls, model: str | None) -> str | None:
        """Clients that are told no model send an empty name."""
        return model or None

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for. Raises InvalidRequest for what no model can read."""
        raise NotImplementedError

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:
        """The ranking as this dialect's clients read it: JSON."""
        raise NotImplementedError


class Headers(Protocol):
    """Further headers of an answer."""

    def __call__(self, call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:
        """Names and values."""


def no_headers(call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:  # noqa: ARG001
    """None but those that every answer has."""
    return {}


@dataclass(frozen=True)
class Dialect:
    """How one family of clients asks and is answered.

    statuses: where its errors have another HTTP status than ours. headers: what its answers carry beside the body.
    """

    body: type[DialectBody]
    answer: type[BaseModel]
    statuses: Mapping[type[RerankError], int] = field(default_factory=dict)
    headers: Headers = no_headers


def check_texts(query: str, texts: Sequence[str], *, key: str) -> None:
    """Raise InvalidRequest for a blank query, and for strings that are not valid Unicode; *key* names the texts."""
    check_query(query)
    check_unicode(list(texts), key)
