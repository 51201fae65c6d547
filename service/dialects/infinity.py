"""The dialect of infinity: Cohere's, recognized by the key `raw_scores`, which infinity's client always sends.

Results contain documents as plain strings, not as objects as in Cohere's and Jina's responses.
"""

from __future__ import annotations

import time
import uuid
from typing import Literal

from pydantic import Field

from rerank.service.dialects.cohere import usage
from rerank.service.dialects.dialect import (
    QUERY,
    RAW_SCORES,
    RETURN_TEXTS,
    TEXTS,
    Dialect,
    DialectBody,
    Endpoint,
    RerankCall,
    check_texts,
)
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_TEXTS
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Flag

_UNSPECIFIED = "default/not-specified"
"""The model name that infinity's client sends if none is configured."""


class InfinityBody(DialectBody):
    """A request of infinity's client."""

    query: str = Field(description=QUERY)
    documents: list[str] = Field(min_length=1, max_length=MAX_TEXTS, description=TEXTS)
    return_documents: Flag = Field(None, description=RETURN_TEXTS)
    raw_scores: Flag = Field(None, description=RAW_SCORES)

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query,
            texts=self.documents,
            model=endpoint.model or (None if self.model == _UNSPECIFIED else self.model),
            top_n=self.top_n or None,
            raw_scores=bool(self.raw_scores),
            return_texts=bool(self.return_documents),
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns an object with the results, best first."""
        return {
            "object": "rerank",
            "id": f"infinity-{uuid.uuid4()}",
            "model": ranking.report.model,
            "created": int(time.time()),
            "results": [
                {
                    "relevance_score": result.score,
                    "index": result.index,
                    **call.returned_text(result.index, "document"),
                }
                for result in ranking.results[: call.top_n]
            ],
            "usage": usage(ranking),
        }


class InfinityResult(StrictModel):
    """A document, by its position in the request."""

    relevance_score: float
    index: int
    document: str | None = None


class InfinityResponse(StrictModel):
    """The documents, best first."""

    object: Literal["rerank"]
    id: str
    model: str
    created: int
    results: list[InfinityResult]
    usage: dict[str, int]


INFINITY = Dialect(InfinityBody, InfinityResponse)
