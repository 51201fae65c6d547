"""What OpenSearch's ml-commons answers to a text_similarity prediction: `query_text`, `text_docs`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rerank.service.dialects.call import Address, Dialect, DialectBody, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.requests import MAX_DOCUMENTS
from rerank.service.strict import Strict


class TextSimilarityBody(DialectBody):
    """As it is sent to _plugins/_ml/_predict/text_similarity."""

    query_text: str = Field(description="The text to compare the documents with.")
    text_docs: list[str] = Field(min_length=1, max_length=MAX_DOCUMENTS, description="The texts to be scored.")

    def call(self, address: Address) -> RerankCall:
        """What this asks for."""
        check_texts(self.query_text, self.text_docs, key="text_docs")
        return RerankCall(
            query=self.query_text,
            texts=self.text_docs,
            model=address.model or self.model,
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, address: Address) -> object:  # noqa: ARG002
        """One tensor a document, as they came."""
        tensors = [
            {"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [result.score]}
            for result in ranking.in_request_order()
        ]
        return {"inference_results": [{"output": tensors, "status_code": 200}]}


class Tensor(Strict):
    """A document's score."""

    name: Literal["similarity"]
    data_type: Literal["FLOAT32"]
    shape: list[int]
    data: list[float]


class Inference(Strict):
    """The documents' scores, in the request's order."""

    output: list[Tensor]
    status_code: int


class TextSimilarityAnswer(Strict):
    """One inference."""

    inference_results: list[Inference]


TEXT_SIMILARITY = Dialect(TextSimilarityBody, TextSimilarityAnswer)
