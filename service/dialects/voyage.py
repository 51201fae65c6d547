"""The dialect of Voyage AI: `documents` with `top_k` or `truncation`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rerank.core.long_texts import BEST_WINDOW, LengthLimits, LongTextPolicy
from rerank.service.dialects.dialect import (
    QUERY,
    RETURN_TEXTS,
    TEXTS,
    TOP_N,
    Dialect,
    DialectBody,
    Endpoint,
    RerankCall,
    check_texts,
)
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_TEXTS
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Count, Flag

DISTINCTIVE_KEYS = frozenset({"top_k", "truncation"})
"""Keys that Cohere's dialect does not have."""


class VoyageBody(DialectBody):
    """A request of Voyage AI's client."""

    query: str = Field(description=QUERY)
    documents: list[str] = Field(min_length=1, max_length=MAX_TEXTS, description=TEXTS)
    top_k: Count = Field(None, description=TOP_N)
    return_documents: Flag = Field(None, description=RETURN_TEXTS)
    truncation: Flag = Field(None, description="false: reject a document that exceeds the model's length.")

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query,
            texts=self.documents,
            model=endpoint.model or self.model,
            top_n=self.top_k or self.top_n or None,
            return_texts=bool(self.return_documents),
            limits=LengthLimits(LongTextPolicy.REFUSE, max_tokens=None) if self.truncation is False else BEST_WINDOW,
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns an object with the results, best first."""
        return {
            "object": "list",
            "data": [
                {
                    "index": result.index,
                    "relevance_score": result.score,
                    **call.returned_text(result.index, "document"),
                }
                for result in ranking.results[: call.top_n]
            ],
            "model": ranking.report.model,
            "usage": {"total_tokens": ranking.tokens},
        }


class VoyageResult(StrictModel):
    """A document, by its position in the request."""

    index: int
    relevance_score: float
    document: str | None = None


class VoyageResponse(StrictModel):
    """The documents, best first."""

    object: Literal["list"]
    data: list[VoyageResult]
    model: str
    usage: dict[str, int]


VOYAGE = Dialect(VoyageBody, VoyageResponse)
