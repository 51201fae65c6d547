"""The dialect of text_similarity predictions in OpenSearch's ml-commons: `query_text` and `text_docs`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rerank.service.dialects.dialect import QUERY, Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_TEXTS
from rerank.service.strict_model import StrictModel


class TextSimilarityBody(DialectBody):
    """A request to _plugins/_ml/_predict/text_similarity."""

    query_text: str = Field(description=QUERY)
    text_docs: list[str] = Field(min_length=1, max_length=MAX_TEXTS, description="Texts to score.")

    def ignored_keys(self) -> list[str]:
        """Returns the unknown keys, and `top_n`: the response has no positions, so it must have all scores."""
        return [*super().ignored_keys(), *(["top_n"] if self.top_n else [])]

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        check_texts(self.query_text, self.text_docs, key="text_docs")
        return RerankCall(
            query=self.query_text,
            texts=self.text_docs,
            model=endpoint.model or self.model,
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns one tensor per text, in request order."""
        tensors = [
            {"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [result.score]}
            for result in ranking.in_request_order()
        ]
        return {"inference_results": [{"output": tensors, "status_code": 200}]}


class Tensor(StrictModel):
    """The score of a text."""

    name: Literal["similarity"]
    data_type: Literal["FLOAT32"]
    shape: list[int]
    data: list[float]


class Inference(StrictModel):
    """The scores of all texts, in request order."""

    output: list[Tensor]
    status_code: int


class TextSimilarityResponse(StrictModel):
    """One inference."""

    inference_results: list[Inference]


TEXT_SIMILARITY = Dialect(TextSimilarityBody, TextSimilarityResponse)
