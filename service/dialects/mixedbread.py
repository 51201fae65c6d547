"""The dialect of mixedbread: `input`, with `model`, `top_k` or `return_input`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from rerank.service.dialects.cohere import document_texts, usage
from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel

OWN_KEYS = frozenset({"model", "top_k", "return_input", "rank_fields"})
"""What tells it from Elasticsearch's inference API, which has none of them."""


class MixedbreadBody(DialectBody):
    """As mixedbread's clients send it."""

    query: str = Field(description="The text to compare the inputs with.")
    input: list[Annotated[Any, WithJsonSchema({"type": ["string", "object"]})]] = Field(
        min_length=1, max_length=MAX_DOCUMENTS, description='Texts, or objects with a key "text".'
    )
    top_k: int | None = Field(None, ge=1, description="Results that are returned; all when it is left out.")
    return_input: bool | None = Field(None, description="True: each result carries its input.")
    rank_fields: list[str] | None = Field(
        None, min_length=1, description="The keys of objects that are read; text when it is left out."
    )
    rewrite_query: bool | None = Field(None, description="Taken and not used.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        texts = document_texts(self.input, self.rank_fields, key="input")
        check_texts(self.query, texts, key="input")
        return RerankCall(
            query=self.query,
            texts=texts,
            model=endpoint.model or self.model,
            top_n=self.top_k,
            return_texts=bool(self.return_input),
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """The best first."""
        return {
            "object": "list",
            "model": ranking.report.model,
            "data": [
                {
                    "object": "rank_result",
                    "index": result.index,
                    "score": result.score,
                    "input": self.input[result.index] if call.return_texts else None,
                }
                for result in ranking.results[: call.top_n]
            ],
            "usage": usage(ranking),
            "top_k": len(call.texts) if call.top_n is None else call.top_n,
            "return_input": call.return_texts,
        }


class MixedbreadResult(StrictModel):
    """An input of the request, by its place there."""

    object: Literal["rank_result"]
    index: int
    score: float
    input: Any = None


class MixedbreadResponse(StrictModel):
    """The inputs in the cross-encoder's order."""

    object: Literal["list"]
    model: str
    data: list[MixedbreadResult]
    usage: dict[str, int]
    top_k: int
    return_input: bool


MIXEDBREAD = Dialect(MixedbreadBody, MixedbreadResponse)
