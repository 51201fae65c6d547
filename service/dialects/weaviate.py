"""The dialect of Weaviate's reranker module: `documents` with `property`. The response keeps the request order."""

from __future__ import annotations

from pydantic import Field

from rerank.service.dialects.dialect import QUERY, Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_TEXTS
from rerank.service.strict_model import StrictModel


class WeaviateBody(DialectBody):
    """A request of Weaviate."""

    query: str = Field(description=QUERY)
    documents: list[str] = Field(max_length=MAX_TEXTS, description="Texts to score; may be empty.")
    property: str | None = Field(description="Weaviate property of the documents; returned unchanged.")

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query,
            texts=self.documents,
            model=endpoint.model or self.model,
            top_n=self.top_n or None,
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns an object with the best documents and their scores, in request order."""
        return {
            "query": self.query,
            "property": self.property or "",
            "scores": [
                {"document": call.texts[result.index], "score": result.score}
                for result in ranking.in_request_order(call.top_n)
            ],
        }


class WeaviateScore(StrictModel):
    """A document and its score."""

    document: str
    score: float


class WeaviateResponse(StrictModel):
    """The documents, in request order."""

    query: str
    property: str
    scores: list[WeaviateScore]


WEAVIATE = Dialect(WeaviateBody, WeaviateResponse)
