"""Elasticsearch's two dialects: its own inference API (`input`), and what its `hugging_face` service sends.

Its parser of the second throws at any key that it does not know: a result has `index`, `score` or `relevance_score`
(by version), and `text`, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, RootModel

from rerank.core.errors import InvalidRequest
from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS, MAX_TIMEOUT_MS
from rerank.service.strict_model import StrictModel

PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
"""Elasticsearch's clients refuse an answer without it."""

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_TIME = re.compile(r"([0-9]{1,9})(ms|s|m|h)")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class TaskSettings(StrictModel):
    """What a request of the inference API may set, there instead of beside the texts."""

    top_n: int | None = Field(None, ge=1, description="As beside the texts.")
    return_documents: bool | None = Field(None, description="As beside the texts.")


class InferenceBody(DialectBody):
    """As Elasticsearch's clients send it to _inference/rerank."""

    query: str = Field(description="The text to compare the inputs with.")
    input: Annotated[list[str], BeforeValidator(_listed)] = Field(
        min_length=1, max_length=MAX_DOCUMENTS, description="The texts to be ordered, or one."
    )
    top_n: int | None = Field(None, ge=1, description="Results that are returned; all when it is left out.")
    return_documents: bool | None = Field(None, description="True: each result carries its text.")
    task_settings: TaskSettings | None = Field(None, description="The same, as task settings.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for; the address may carry a `timeout`, such as 30s."""
        check_texts(self.query, self.input, key="input")
        said = self.task_settings or TaskSettings()
        wanted = said.return_documents if self.return_documents is None else self.return_documents
        timeout = endpoint.args.get("timeout")
        return RerankCall(
            query=self.query,
            texts=self.input,
            model=endpoint.model or self.model,
            top_n=self.top_n or said.top_n,
            return_texts=bool(wanted),
            timeout_ms=self.timeout_ms if timeout is None else milliseconds(timeout),
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:  # noqa: ARG002
        """The best first."""
        return {
            "rerank": [
                {
                    "index": result.index,
                    "relevance_score": result.score,
                    **({"text": call.texts[result.index]} if call.return_texts else {}),
                }
                for result in ranking.results[: call.top_n]
            ]
        }


class HuggingFaceBody(DialectBody):
    """As Elasticsearch's hugging_face service sends it."""

    query: str = Field(description="The text to compare the documents with.")
    documents: list[str] = Field(min_length=1, max_length=MAX_DOCUMENTS, description="The texts to be ordered.")
    top_n: int | None = Field(None, ge=1, description="Results that are returned; all when it is left out.")
    return_documents: bool | None = Field(None, description="True: each result carries its text.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        check_texts(self.query, self.documents, key="documents")
        return RerankCall(
            query=self.query,
            texts=self.documents,
            model=endpoint.model or self.model,
            top_n=self.top_n,
            return_texts=bool(self.return_documents),
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
            for result in ranking.results[: call.top_n]
        ]


class InferenceResult(StrictModel):
    """A text of the request, by its place there."""

    index: int
    relevance_score: float
    text: str | None = None


class InferenceResponse(StrictModel):
    """The texts in the cross-encoder's order."""

    rerank: list[InferenceResult]


class HuggingFaceResult(StrictModel):
    """A document of the request, by its place there."""

    index: int
    score: float
    relevance_score: float
    text: str | None = None


class HuggingFaceResponse(RootModel[list[HuggingFaceResult]]):
    """The documents in the cross-encoder's order."""


def product_header(call: RerankCall, ranking: TextRanking, *, took_ms: float) -> Mapping[str, str]:  # noqa: ARG001
    """What Elasticsearch's clients know an answer of Elasticsearch's by."""
    return PRODUCT


def milliseconds(time: str) -> int:
    """A time in Elasticsearch's units (500ms, 30s, 2m). Raises InvalidRequest for what is none, or no time at all."""
    found = _TIME.fullmatch(time.strip())
    value = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 1 <= value <= MAX_TIMEOUT_MS:
        raise InvalidRequest('"timeout" is a time from 1ms to 1h, such as 30s', field="timeout")
    return value


INFERENCE = Dialect(InferenceBody, InferenceResponse, headers=product_header)
HUGGING_FACE = Dialect(HuggingFaceBody, HuggingFaceResponse)
