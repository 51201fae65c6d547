"""The dialect of NVIDIA's NIM: `passages`, and a query that is an object; answered by raw scores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rerank.core.long_texts import LengthLimits, LongTextPolicy
from rerank.service.dialects.cohere import usage
from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel


class NimText(StrictModel):
    """A query or a passage."""

    text: str = Field(description="The text.")


class NimBody(DialectBody):
    """As the clients of NVIDIA's NIM send it."""

    query: NimText = Field(description="The text to compare the passages with.")
    passages: list[NimText] = Field(min_length=1, max_length=MAX_DOCUMENTS, description="The texts to be ordered.")
    truncate: Literal["NONE", "END", "START"] | None = Field(
        None, description="NONE: a passage longer than the model reads is an error; else the end at which it is cut."
    )

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        texts = [passage.text for passage in self.passages]
        check_texts(self.query.text, texts, key="passages")
        policy = {"NONE": LongTextPolicy.REFUSE, "START": LongTextPolicy.CUT_START}.get(
            self.truncate or "END", LongTextPolicy.CUT_END
        )
        return RerankCall(
            query=self.query.text,
            texts=texts,
            model=endpoint.model or self.model,
            raw_scores=True,
            limits=LengthLimits(policy, max_tokens=None),
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """The best first."""
        return {
            "rankings": [{"index": result.index, "logit": result.score} for result in ranking.results],
            "usage": usage(ranking),
        }


class NimRanking(StrictModel):
    """A passage of the request, by its place there."""

    index: int
    logit: float


class NimResponse(StrictModel):
    """The passages in the cross-encoder's order."""

    rankings: list[NimRanking]
    usage: dict[str, int]


NIM = Dialect(NimBody, NimResponse)
