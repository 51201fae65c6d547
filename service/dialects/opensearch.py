"""What OpenSearch's ml-commons answers to a text_similarity prediction: `query_text`, `text_docs`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel


class TextSimilarityBody(DialectBody):
    """As it is sent to _plugins/_ml/_predict/text_similarity."""

    query_text: str = Field(description="The text to compare the documents with.")
    text_docs: list[str] = Field(min_length=1, max_length=MAX_DOCUMENTS, description="The texts to be scored.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        check_texts(self.query_text, self.text_docs, key="text_docs")
        return RerankCall(
            query=self.query_text,
            texts=self.text_docs,
            model=endpoint.model or self.model,
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """One tensor a document, as they came."""
        tensors = [
            {"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [result.score]}
            for result in ranking.in_request_order()
        ]
        return {"inference_results": [{"output": tensors, "status_code": 200}]}


class Tensor(StrictModel):
    """A document's score."""

    name: Literal["similarity"]
    data_type: Literal["FLOAT32"]
    shape: list[int]
    data: list[float]


class Inference(StrictModel):
    """The documents' scores, in the request's order."""

    output: list[Tensor]
    status_code: int


class TextSimilarityResponse(StrictModel):
    """One inference."""

    inference_results: list[Inference]


TEXT_SIMILARITY = Dialect(TextSimilarityBody, TextSimilarityResponse)
