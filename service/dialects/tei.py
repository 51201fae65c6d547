"""The dialect of Hugging Face's text-embeddings-inference: `texts`, answered by an array.

Its own errors and headers go with it. A result's score is there twice: OpenSearch's `default.rerank` reads such an
array too, and calls it relevance_score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, RootModel

from rerank.core.errors import EmptyRequest, InvalidInput, ModelError, ModelOverloaded, ModelUnavailable
from rerank.core.long_texts import LengthLimits, LongTextPolicy
from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel

STATUSES = {
    InvalidInput: 422,
    EmptyRequest: 400,
    ModelError: 424,
    ModelUnavailable: 503,
    ModelOverloaded: 429,
}


class TeiBody(DialectBody):
    """As the clients of text-embeddings-inference send it."""

    query: str = Field(description="The text to compare the texts with.")
    texts: list[str] = Field(max_length=MAX_DOCUMENTS, description="The texts to be ordered.")
    truncate: bool | None = Field(
        None, description="False: a text longer than the model reads is an error; else it is cut."
    )
    truncation_direction: Literal["right", "left", "Right", "Left"] | None = Field(
        None, description="The end at which a text is cut."
    )
    raw_scores: bool | None = Field(None, description="True: scores are the model's raw answers.")
    return_text: bool | None = Field(None, description="True: each result carries its text.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for. Raises EmptyRequest when there are no texts."""
        if not self.texts:
            raise EmptyRequest('"texts" is empty; send the texts to be ordered', field="texts")
        check_texts(self.query, self.texts, key="texts")
        return RerankCall(
            query=self.query,
            texts=self.texts,
            model=endpoint.model or self.model,
            raw_scores=bool(self.raw_scores),
            return_texts=bool(self.return_text),
            limits=LengthLimits(self._policy(), max_tokens=None),
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """An array, best first."""
        return [
            {
                "index": result.index,
                "score": result.score,
                "relevance_score": result.score,
                **({"text": call.texts[result.index]} if call.return_texts else {}),
            }
            for result in ranking.results
        ]

    def _policy(self) -> LongTextPolicy:
        if self.truncate is False:
            return LongTextPolicy.REFUSE
        return (
            LongTextPolicy.CUT_START if (self.truncation_direction or "").lower() == "left" else LongTextPolicy.CUT_END
        )


class TeiResult(StrictModel):
    """A text of the request, by its place there."""

    index: int
    score: float
    relevance_score: float
    text: str | None = None


class TeiResponse(RootModel[list[TeiResult]]):
    """The texts in the cross-encoder's order."""


def compute_headers(call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:
    """What text-embeddings-inference tells of an answer's costs; times in whole milliseconds.

    Texts are tokenised within the time of inference: that is not told apart.
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
