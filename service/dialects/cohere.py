"""Cohere's dialect (v1, v2), which Jina, vLLM and OpenSearch's connector speak too: `documents`.

What differs between them does not collide: Jina reads `model` and `usage`, Cohere `id` and `meta`, vLLM's own keys
(`use_activation`, `truncate_prompt_tokens`) bring the documents back as it does.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from rerank.core.errors import InvalidRequest
from rerank.core.long_texts import BEST_WINDOW, LengthLimits, LongTextPolicy
from rerank.service.dialects.dialect import Dialect, DialectBody, Endpoint, RerankCall, check_texts
from rerank.service.dialects.ranking import TextRanking
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.strict_model import StrictModel

DOCUMENTS_A_SEARCH_UNIT = 100
"""How Cohere counts: one unit is a query with up to a hundred documents."""

_FIRST_VERSION = "/v1/"

Documents = Annotated[
    list[Annotated[Any, WithJsonSchema({"type": ["string", "object"]})]],
    Field(min_length=1, max_length=MAX_DOCUMENTS, description='Texts, or objects with a key "text".'),
]


class CohereBody(DialectBody):
    """As Cohere's, Jina's, vLLM's and OpenSearch's clients send it."""

    query: str = Field(description="The text to compare the documents with.")
    documents: Documents
    top_n: int | None = Field(
        None, ge=0, description="Results that are returned; all when it is left out, or 0 as vLLM has it."
    )
    return_documents: bool | None = Field(None, description="True: each result carries its document's text.")
    rank_fields: list[str] | None = Field(
        None, min_length=1, description="The keys of document objects that are read; text when it is left out."
    )
    max_tokens_per_doc: int | None = Field(None, ge=1, description="Tokens that are read of a document; 4,096.")
    max_chunks_per_doc: int | None = Field(
        None, ge=1, description="Windows that are read of a document longer than the model reads at once; 10."
    )
    truncate_prompt_tokens: int | None = Field(
        None, ge=-1, description="Read only so many tokens, at most one window, of each document (vLLM); -1: a window."
    )
    use_activation: bool | None = Field(None, description="False: scores are the model's raw answers (vLLM).")
    priority: int | None = Field(None, description="Taken and not used.")
    user: str | None = Field(None, description="Taken and not used.")
    request_id: str | None = Field(None, description="Taken and not used.")

    def call(self, endpoint: Endpoint) -> RerankCall:
        """What this asks for."""
        texts = document_texts(self.documents, self.rank_fields)
        check_texts(self.query, texts, key="documents")
        return RerankCall(
            query=self.query,
            texts=texts,
            model=endpoint.model or self.model,
            top_n=self.top_n or None,
            raw_scores=self.use_activation is False,
            return_texts=bool(self.return_documents or self._from_vllm),
            limits=self._limits(),
            timeout_ms=self.timeout_ms,
        )

    def answer(self, call: RerankCall, ranking: TextRanking, endpoint: Endpoint) -> object:
        """What the clients of the whole family read; nothing else is in a result."""
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
            "meta": _meta(call, ranking, version="1" if endpoint.rule.startswith(_FIRST_VERSION) else "2"),
        }

    @property
    def _from_vllm(self) -> bool:
        return self.truncate_prompt_tokens is not None or self.use_activation is not None

    def _limits(self) -> LengthLimits:
        if self.truncate_prompt_tokens is not None:
            return LengthLimits(LongTextPolicy.CUT_END, max_tokens=max(self.truncate_prompt_tokens, 0) or None)
        return LengthLimits(
            max_tokens=self.max_tokens_per_doc or BEST_WINDOW.max_tokens,
            max_windows=self.max_chunks_per_doc or BEST_WINDOW.max_windows,
        )


class DocumentText(StrictModel):
    """A document's text."""

    text: str


class CohereResult(StrictModel):
    """A document of the request, by its place there."""

    index: int
    relevance_score: float
    document: DocumentText | None = None


class CohereResponse(StrictModel):
    """The documents in the cross-encoder's order."""

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
    """The text of each document: itself, or the *rank_fields* (`text`) of an object, one a line.

    Raises InvalidRequest for a document that is neither, for an object that has none of the fields, and for a field
    that is not a string.
    """
    fields = rank_fields or ("text",)
    return [_text(document, fields, f"{key}[{i}]") for i, document in enumerate(documents)]


def usage(ranking: TextRanking) -> dict[str, int]:
    """Tokens, as OpenAI's clients read them."""
    return {"prompt_tokens": ranking.tokens, "total_tokens": ranking.tokens}


def _meta(call: RerankCall, ranking: TextRanking, *, version: str) -> dict[str, object]:
    meta: dict[str, object] = {
        "api_version": {"version": version, "is_experimental": False},
        "billed_units": {"search_units": -(-len(call.texts) // DOCUMENTS_A_SEARCH_UNIT)},
        "tokens": {"input_tokens": ranking.tokens},
    }
    warnings = [f"document {place} was not read to its end" for place in ranking.truncated]
    if ranking.report.query_truncated:
        warnings.insert(0, "the query is longer than the model reads: its end was cut")
    return {**meta, "warnings": warnings} if warnings else meta


def _text(document: object, fields: Sequence[str], where: str) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, Mapping):
        raise InvalidRequest(f'"{where}" is a string, or an object with the key "text"', field=where)
    parts = []
    for field in fields:
        value = document.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidRequest(f'"{where}.{field}" is a string', field=f"{where}.{field}")
        parts.append(value)
    if not parts:
        raise InvalidRequest(f'"{where}" has no text: expected the key {" or ".join(fields)}', field=where)
    return "\n".join(parts)
