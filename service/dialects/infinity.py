"""The dialect of infinity: Cohere's, told apart by the key `raw_scores`, which its client always sends.

Its results carry their documents as bare strings, where Jina's and Cohere's are objects.
"""

from __future__ import annotations

import time
import uuid
from typing import Literal

from pydantic import Field

from rerank.service.dialects.cohere import usage
from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel

_UNSPECIFIED = "default/not-specified"
"""What infinity's client calls the model when it is told none."""


class InfinityBody(DialectBody):
    """As infinity's client sends it."""

    query: str = Field(description="The text to compare the documents with.")
    documents: list[str] = Field(min_length=1, max_length=MAX_DOCUMENTS, description="The texts to be ordered.")
    top_n: int | None = Field(None, ge=1, description="Results that are returned; all when it is left out.")
    return_documents: bool | None = Field(None, description="True: each result carries its document.")
    raw_scores: bool | None = Field(None, description="True: scores are the model's raw answers.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query,
            texts=self.documents,
            model=endpoint.model or (None if self.model == _UNSPECIFIED else self.model),
            top_n=self.top_n,
            raw_scores=bool(self.raw_scores),
            return_texts=bool(self.return_documents),
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """The best first."""
        return {
            "object": "rerank",
            "id": f"infinity-{uuid.uuid4()}",
            "model": ranking.report.model,
            "created": int(time.time()),
            "results": [
                {
                    "relevance_score": result.score,
                    "index": result.index,
                    **({"document": call.texts[result.index]} if call.return_texts else {}),
                }
                for result in ranking.results[: call.top_n]
            ],
            "usage": usage(ranking),
        }


class InfinityResult(StrictModel):
    """A document of the request, by its place there."""

    relevance_score: float
    index: int
    document: str | None = None


class InfinityResponse(StrictModel):
    """The documents in the cross-encoder's order."""

    object: Literal["rerank"]
    id: str
    model: str
    created: int
    results: list[InfinityResult]
    usage: dict[str, int]


INFINITY = Dialect(InfinityBody, InfinityResponse)
