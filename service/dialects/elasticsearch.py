"""The two dialects of Elasticsearch: its inference API (`input`), and the requests of its `hugging_face` service.

The parser of the `hugging_face` service rejects unknown keys. A result has `index`, `score` and `relevance_score`
(the name depends on the version), and `text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, RootModel

from rerank.core.errors import InvalidRequest
from rerank.core.settings import MAX_TIMEOUT_MS
from rerank.service.dialects.dialect import (
    QUERY,
    RETURN_TEXTS,
    TEXTS,
    TOP_N,
    Dialect,
    DialectBody,
    Endpoint,
    RerankCall,
    as_list,
    check_texts,
)
from rerank.service.dialects.ranking import TextRanking
from rerank.service.patterns import DURATION
from rerank.service.request_models import MAX_TEXTS
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Count, Flag, TolerantModel

PRODUCT_HEADER = {"X-Elastic-Product": "Elasticsearch"}
"""Elasticsearch's clients reject a response without this header."""

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


class TaskSettings(TolerantModel):
    """Settings that a request of the inference API may send here or at the top level."""

    top_n: Count = Field(None, description=TOP_N)
    return_documents: Flag = Field(None, description=RETURN_TEXTS)


class InferenceBody(DialectBody):
    """A request of Elasticsearch's client to _inference/rerank."""

    query: str = Field(description=QUERY)
    input: Annotated[list[str], BeforeValidator(as_list)] = Field(
        min_length=1, max_length=MAX_TEXTS, description="Texts to rerank, or one text."
    )
    return_documents: Flag = Field(None, description=RETURN_TEXTS)
    task_settings: TaskSettings | None = Field(None, description="top_n and return_documents; top-level keys win.")

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call. The query string may have a `timeout`, such as 30s."""
        check_texts(self.query, self.input, key="input")
        settings = self.task_settings or TaskSettings()
        return_texts = settings.return_documents if self.return_documents is None else self.return_documents
        timeout = endpoint.args.get("timeout")
        return RerankCall(
            query=self.query,
            texts=self.input,
            model=endpoint.model or self.model,
            top_n=self.top_n or settings.top_n or None,
            return_texts=bool(return_texts),
            timeout_ms=self.timeout_ms if timeout is None else milliseconds(timeout),
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns an object with the results, best first."""
        return {
            "rerank": [
                {
                    "index": result.index,
                    "relevance_score": result.score,
                    **call.returned_text(result.index, "text"),
                }
                for result in ranking.results[: call.top_n]
            ]
        }


class HuggingFaceBody(DialectBody):
    """A request of Elasticsearch's hugging_face service."""

    query: str = Field(description=QUERY)
    documents: list[str] = Field(min_length=1, max_length=MAX_TEXTS, description=TEXTS)
    return_documents: Flag = Field(None, description=RETURN_TEXTS)

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query,
            texts=self.documents,
            model=endpoint.model or self.model,
            top_n=self.top_n or None,
            return_texts=bool(self.return_documents),
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns a list of results, best first."""
        return [
            {
                "index": result.index,
                "score": result.score,
                "relevance_score": result.score,
                **call.returned_text(result.index, "text"),
            }
            for result in ranking.results[: call.top_n]
        ]


class InferenceResult(StrictModel):
    """A text, by its position in the request."""

    index: int
    relevance_score: float
    text: str | None = None


class InferenceResponse(StrictModel):
    """The texts, best first."""

    rerank: list[InferenceResult]


class HuggingFaceResult(StrictModel):
    """A document, by its position in the request."""

    index: int
    score: float
    relevance_score: float
    text: str | None = None


class HuggingFaceResponse(RootModel[list[HuggingFaceResult]]):
    """The documents, best first."""


def product_header(call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:  # noqa: ARG001
    """Returns the header by which Elasticsearch's clients recognize the server."""
    return PRODUCT_HEADER


def milliseconds(duration: str) -> int:
    """Returns *duration* (500ms, 30s, 2m) in milliseconds. Raises InvalidRequest outside 1 ms to 1 h."""
    match = DURATION.fullmatch(duration.strip())
    value = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 1 <= value <= MAX_TIMEOUT_MS:
        raise InvalidRequest('"timeout" must be a duration from 1ms to 1h, such as 30s', field="timeout")
    return value


INFERENCE = Dialect(InferenceBody, InferenceResponse, headers=product_header)
HUGGING_FACE = Dialect(HuggingFaceBody, HuggingFaceResponse)
