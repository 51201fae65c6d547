"""The dialect of NVIDIA NIM: `passages`, and a query that is an object. Results have logits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rerank.core.long_texts import LengthLimits, LongTextPolicy
from rerank.service.dialects.cohere import usage
from rerank.service.dialects.dialect import QUERY, TEXTS, Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_TEXTS
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import TolerantModel


class NimText(TolerantModel):
    """A query or a passage."""

    text: str = Field(description="Text.")


class NimBody(DialectBody):
    """A request of the clients of NVIDIA NIM."""

    query: NimText = Field(description=QUERY)
    passages: list[NimText] = Field(min_length=1, max_length=MAX_TEXTS, description=TEXTS)
    truncate: Literal["NONE", "END", "START"] | None = Field(
        None,
        description="End at which to truncate a passage that exceeds the model's length; NONE rejects it.",
    )

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        texts = [passage.text for passage in self.passages]
        check_texts(self.query.text, texts, key="passages")
        policy = {"NONE": LongTextPolicy.REFUSE, "START": LongTextPolicy.CUT_START}.get(
            self.truncate or "END", LongTextPolicy.CUT_END
        )
        return RerankCall(
            query=self.query.text,
            texts=texts,
            model=endpoint.model or self.model,
            top_n=self.top_n or None,
            raw_scores=True,
            limits=LengthLimits(policy, max_tokens=None),
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """Returns an object with the passages, best first."""
        return {
            "rankings": [{"index": result.index, "logit": result.score} for result in ranking.results[: call.top_n]],
            "usage": usage(ranking),
        }


class NimRanking(StrictModel):
    """A passage, by its position in the request."""

    index: int
    logit: float


class NimResponse(StrictModel):
    """The passages, best first."""

    rankings: list[NimRanking]
    usage: dict[str, int]


NIM = Dialect(NimBody, NimResponse)
