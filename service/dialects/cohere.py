"""The dialect of Cohere (v1 and v2), which Jina, vLLM and OpenSearch's Cohere connector share: `documents`.

Their differences do not conflict. Jina's clients use `model` and `usage` of the response; Cohere's use `id` and `meta`.
A request with one of vLLM's own keys (`use_activation`, `truncate_prompt_tokens`) gets the documents too, as in vLLM.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from rerank.core.errors import InvalidRequest
from rerank.core.long_texts import BEST_WINDOW, LengthLimits, LongTextPolicy
from rerank.service.dialects.dialect import QUERY, RETURN_TEXTS, Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import IGNORED, MAX_TEXTS
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Flag, PositiveCount, TokenLimit
from rerank.service.validation import quoted

DOCUMENTS_PER_SEARCH_UNIT = 100
"""Cohere bills a query with up to 100 documents as one search unit."""

_V1_PREFIX = "/v1/"

Documents = Annotated[
    list[Annotated[Any, WithJsonSchema({"type": ["string", "object"]})]],
    Field(min_length=1, max_length=MAX_TEXTS, description='Texts to rerank, or objects with a "text" key.'),
]


class CohereBody(DialectBody):
    """A request of Cohere's, Jina's, vLLM's or OpenSearch's client."""

    query: str = Field(description=QUERY)
    documents: Documents
    return_documents: Flag = Field(None, description=RETURN_TEXTS)
    rank_fields: list[str] | None = Field(
        None, min_length=1, description="Keys of document objects to rerank by; default: text."
    )
    max_tokens_per_doc: PositiveCount = Field(
        None, description="Maximum number of tokens of a document; default: 4,096."
    )
    max_chunks_per_doc: PositiveCount = Field(
        None, description="Maximum number of windows of a document that exceeds the model's length; default: 10."
    )
    truncate_prompt_tokens: TokenLimit = Field(
        None, description="vLLM: score only this many tokens of a document, at most one window; -1: one window."
    )
    use_activation: Flag = Field(None, description="vLLM: false returns logits instead of probabilities.")
    priority: Any = Field(None, description=IGNORED)
    user: Any = Field(None, description=IGNORED)
    request_id: Any = Field(None, description=IGNORED)

    def to_call(self, endpoint: Endpoint) -> RerankCall:
        """Returns the call."""
        texts = document_texts(self.documents, self.rank_fields)
        check_texts(self.query, texts, key="documents")
        return RerankCall(
            query=self.query,
            texts=texts,
            model=endpoint.model or self.model,
            top_n=self.top_n or None,
            raw_scores=self.use_activation is False,
            return_texts=bool(self.return_documents or self._is_vllm),
            limits=self._limits(),
            timeout_ms=self.timeout_ms,
        )

    def to_response(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:
        """Returns an object that all these clients accept. Strict clients reject results with any other key."""
        results: list[dict[str, object]] = []
        for result in ranking.results[: call.top_n]:
            document = {"document": {"text": call.texts[result.index]}} if call.return_texts else {}
            results.append({"index": result.index, "relevance_score": result.score, **document})
        return {
            "id": str(uuid.uuid4()),
            "object": "list",
            "created": int(time.time()),
            "model": ranking.report.model,
            "results": results,
            "usage": usage(ranking),
            "meta": _meta(call, ranking, version="1" if endpoint.rule.startswith(_V1_PREFIX) else "2"),
        }

    @property
    def _is_vllm(self) -> bool:
        return self.truncate_prompt_tokens is not None or self.use_activation is not None

    def _limits(self) -> LengthLimits:
        if self.truncate_prompt_tokens is not None:
            return LengthLimits(LongTextPolicy.CUT_END, max_tokens=max(self.truncate_prompt_tokens, 0) or None)
        return LengthLimits(
            max_tokens=self.max_tokens_per_doc or BEST_WINDOW.max_tokens,
            max_windows=self.max_chunks_per_doc or BEST_WINDOW.max_windows,
        )


class DocumentText(StrictModel):
    """The text of a document."""

    text: str


class CohereResult(StrictModel):
    """A document, by its position in the request."""

    index: int
    relevance_score: float
    document: DocumentText | None = None


class CohereResponse(StrictModel):
    """The documents, best first."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    results: list[CohereResult]
    usage: dict[str, int]
    meta: dict[str, Any]


COHERE = Dialect(CohereBody, CohereResponse)


def document_texts(
    documents: Sequence[object], rank_fields: Sequence[str] | None = None, *, key: str = "documents"
) -> list[str]:
    """Returns the text of each document: a string itself, or the *rank_fields* (`text`) of an object, one per line.

    Raises InvalidRequest for another type, an object with none of the fields, and a field that is not a string.
    """
    fields = rank_fields or ("text",)
    return [_text(document, fields, f"{key}[{i}]") for i, document in enumerate(documents)]


def usage(ranking: TextRanking) -> dict[str, int]:
    """Returns the token counts in OpenAI's format."""
    return {"prompt_tokens": ranking.tokens, "total_tokens": ranking.tokens}


def _meta(call: RerankCall, ranking: TextRanking, *, version: str) -> dict[str, object]:
    meta: dict[str, object] = {
        "api_version": {"version": version, "is_experimental": False},
        "billed_units": {"search_units": -(-len(call.texts) // DOCUMENTS_PER_SEARCH_UNIT)},
        "tokens": {"input_tokens": ranking.tokens, "output_tokens": 0},
    }
    warnings = [f"document {index} was truncated" for index in ranking.truncated]
    if ranking.report.query_truncated:
        warnings.insert(0, "the query was truncated: it exceeds the model's maximum length")
    warnings += [f"document {index} has no text and ranks last" for index in ranking.blank]
    warnings += [f"key {quoted(key)} was ignored" for key in call.ignored]
    return {**meta, "warnings": warnings} if warnings else meta


def _text(document: object, fields: Sequence[str], path: str) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, Mapping):
        raise InvalidRequest(f'"{path}" must be a string or an object with a "text" key', field=path)
    parts = []
    for field in fields:
        value = document.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidRequest(f'"{path}.{field}" must be a string', field=f"{path}.{field}")
        parts.append(value)
    if not parts:
        raise InvalidRequest(f'"{path}" has no text: it must have the key {" or ".join(fields)}', field=path)
    return "\n".join(parts)
