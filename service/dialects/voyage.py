"""The dialect of Voyage AI: `documents` with `top_k` or `truncation`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rerank.core.long_texts import BEST_WINDOW, LengthLimits, LongTextPolicy
from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel

OWN_KEYS = frozenset({"top_k", "truncation"})
"""What tells it from Cohere's."""


class VoyageBody(DialectBody):
    """As Voyage AI's client sends it."""

    query: str = Field(description="The text to compare the documents with.")
    documents: list[str] = Field(min_length=1, max_length=MAX_DOCUMENTS, description="The texts to be ordered.")
    top_k: int | None = Field(None, ge=1, description="Results that are returned; all when it is left out.")
    return_documents: bool | None = Field(None, description="True: each result carries its document.")
    truncation: bool | None = Field(None, description="False: a document longer than the model reads is an error.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query,
            texts=self.documents,
            model=endpoint.model or self.model,
            top_n=self.top_k,
            return_texts=bool(self.return_documents),
            limits=LengthLimits(LongTextPolicy.REFUSE, max_tokens=None) if self.truncation is False else BEST_WINDOW,
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """The best first."""
        return {
            "object": "list",
            "data": [
                {
                    "index": result.index,
                    "relevance_score": result.score,
                    **({"document": call.texts[result.index]} if call.return_texts else {}),
                }
                for result in ranking.results[: call.top_n]
            ],
            "model": ranking.report.model,
            "usage": {"total_tokens": ranking.tokens},
        }


class VoyageResult(StrictModel):
    """A document of the request, by its place there."""

    index: int
    relevance_score: float
    document: str | None = None


class VoyageResponse(StrictModel):
    """The documents in the cross-encoder's order."""

    object: Literal["list"]
    data: list[VoyageResult]
    model: str
    usage: dict[str, int]


VOYAGE = Dialect(VoyageBody, VoyageResponse)
