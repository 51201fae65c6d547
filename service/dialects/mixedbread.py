"""The dialect of mixedbread: `input`, with `model`, `top_k` or `return_input`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from rerank.service.dialects.cohere import document_texts, usage
from rerank.service.dialects.dialect import QUERY, TOP_N, Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import IGNORED, MAX_TEXTS
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Count, Flag

DISTINCTIVE_KEYS = frozenset({"model", "top_k", "return_input", "rank_fields"})
"""Keys that Elasticsearch's inference API, which also sends `input`, does not have."""


class MixedbreadBody(DialectBody):
    """A request of mixedbread's clients."""

    query: str = Field(description=QUERY)
    input: list[Annotated[Any, WithJsonSchema({"type": ["string", "object"]})]] = Field(
        min_length=1, max_length=MAX_TEXTS, description='Texts to rerank, or objects with a "text" key.'
    )
    top_k: Count = Field(None, description=TOP_N)
    return_input: Flag = Field(None, description="true: include the input in each result.")
    rank_fields: list[str] | None = Field(
        None, min_length=1, description="Keys of objects to rerank by; default: text."
    )
    rewrite_query: Any = Field(None, description=IGNORED)

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        texts = document_texts(self.input, self.rank_fields, key="input")
        check_texts(self.query, texts, key="input")
        return RerankCall(
            query=self.query,
            texts=texts,
            model=endpoint.model or self.model,
            top_n=self.top_k or self.top_n or None,
            return_texts=bool(self.return_input),
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns an object with the results, best first."""
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
    """An input, by its position in the request."""

    object: Literal["rank_result"]
    index: int
    score: float
    input: Any = None


class MixedbreadResponse(StrictModel):
    """The inputs, best first."""

    object: Literal["list"]
    model: str
    data: list[MixedbreadResult]
    usage: dict[str, int]
    top_k: int
    return_input: bool


MIXEDBREAD = Dialect(MixedbreadBody, MixedbreadResponse)
