"""The dialect of Hugging Face's text-embeddings-inference (TEI): `texts`, with a list as response.

It has its own error statuses and headers. Each result has its score twice, because OpenSearch's `default.rerank`
post-processing accepts the same list but expects the key relevance_score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, RootModel

from rerank.core.errors import EmptyRequest, InvalidInput, ModelError, ModelOverloaded, ModelUnavailable
from rerank.core.long_texts import LengthLimits, LongTextPolicy
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

STATUSES = {
    InvalidInput: 422,
    EmptyRequest: 400,
    ModelError: 424,
    ModelUnavailable: 503,
    ModelOverloaded: 429,
}


class TeiBody(DialectBody):
    """A request of the clients of text-embeddings-inference."""

    query: str = Field(description=QUERY)
    texts: list[str] = Field(max_length=MAX_TEXTS, description=TEXTS)
    truncate: Flag = Field(None, description="false: reject a text that exceeds the model's length. Default: truncate.")
    truncation_direction: Literal["right", "left", "Right", "Left"] | None = Field(
        None, description="End at which to truncate. Default: right."
    )
    raw_scores: Flag = Field(None, description=RAW_SCORES)
    return_text: Flag = Field(None, description=RETURN_TEXTS)

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call. Raises EmptyRequest if there are no texts."""
        if not self.texts:
            raise EmptyRequest('"texts" must not be empty', field="texts")
        check_texts(self.query, self.texts, key="texts")
        return RerankCall(
            query=self.query,
            texts=self.texts,
            model=endpoint.model or self.model,
            top_n=self.top_n or None,
            raw_scores=bool(self.raw_scores),
            return_texts=bool(self.return_text),
            limits=LengthLimits(self._policy(), max_tokens=None),
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns a list of results, best first."""
        return [
            {
                "index": result.index,
                "score": result.score,
                "relevance_score": result.score,
                **call.returned_text(result.index, "text"),
            }
            for result in ranking.results[: call.top_n]
        ]

    def _policy(self) -> LongTextPolicy:
        if self.truncate is False:
            return LongTextPolicy.REFUSE
        return (
            LongTextPolicy.CUT_START if (self.truncation_direction or "").lower() == "left" else LongTextPolicy.CUT_END
        )


class TeiResult(StrictModel):
    """A text, by its position in the request."""

    index: int
    score: float
    relevance_score: float
    text: str | None = None


class TeiResponse(RootModel[list[TeiResult]]):
    """The texts, best first."""


def compute_headers(call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:
    """Returns TEI's headers about the cost of a request, with times in whole milliseconds.

    The inference time includes tokenization, which is not measured separately.
    """
    return {
        "x-compute-type": "cpu",
        "x-compute-time": str(round(took_ms)),
        "x-compute-characters": str(len(call.query) + sum(map(len, call.texts))),
        "x-compute-tokens": str(ranking.tokens),
        "x-total-time": str(round(took_ms)),
        "x-tokenization-time": "0",
        "x-queue-time": str(round(ranking.waited_ms)),
        "x-inference-time": str(round(ranking.inference_ms)),
    }


TEI = Dialect(TeiBody, TeiResponse, statuses=STATUSES, headers=compute_headers)
