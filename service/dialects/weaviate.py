"""The dialect of Weaviate's reranker module: `documents` with `property`, answered in the request's own order."""

from __future__ import annotations

from pydantic import Field

from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel


class WeaviateBody(DialectBody):
    """As Weaviate sends it."""

    query: str = Field(description="The text to compare the documents with.")
    documents: list[str] = Field(max_length=MAX_DOCUMENTS, description="The texts to be scored; none is no error.")
    property: str | None = Field(description="The property that the documents are; sent back as it is.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query, texts=self.documents, model=endpoint.model or self.model, timeout_ms=self.timeout_ms
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """The documents as they came, each with its score."""
        return {
            "query": self.query,
            "property": self.property or "",
            "scores": [
                {"document": call.texts[result.index], "score": result.score} for result in ranking.in_request_order()
            ],
        }


class WeaviateScore(StrictModel):
    """A document of the request."""

    document: str
    score: float


class WeaviateResponse(StrictModel):
    """The documents in the request's order."""

    query: str
    property: str
    scores: list[WeaviateScore]


WEAVIATE = Dialect(WeaviateBody, WeaviateResponse)
