"""What requests may say, key by key: checked by these models, and described by them in /openapi.json.

A key that may be left out may also be null, which means the same.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, FiniteFloat, WithJsonSchema

from rerank.core.filters import parse_filter
from rerank.core.search import SearchRequest
from rerank.core.settings import MAX_RESULTS, Mode, Settings
from rerank.service.request_body import check_unicode
from rerank.service.strict_model import StrictModel

MAX_TIMEOUT_MS = 3_600_000
"""An hour: longer than any client waits, and far from what a clock cannot add."""

MAX_DOCUMENTS = 1000
"""Documents a request may carry, to be indexed or re-ranked."""

_TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}
_INPUTS = {"anyOf": [{"type": "string"}, _TEXTS, {"type": "array", "items": _TEXTS, "maxItems": MAX_DOCUMENTS}]}


class SearchBody(StrictModel):
    """POST /search."""

    index: str = Field(min_length=1, description="The index to search.")
    query: str = Field(description="The text to search for.")
    k: int | None = Field(None, description="Hits that are returned.", json_schema_extra={"maximum": MAX_RESULTS})
    depth: int | None = Field(
        None, description="Documents that are re-ranked.", json_schema_extra={"maximum": MAX_RESULTS}
    )
    mode: Mode | None = Field(None, description="First stage: by vector, by text, or both fused by rank.")
    filter: dict[str, Any] | None = Field(None, description="An OpenSearch filter clause over metadata.* fields.")
    min_score: FiniteFloat | None = Field(
        None, description="Hits below it are dropped, in the units of score; 0 drops none."
    )
    rerank: bool | None = Field(None, description="False: first-stage order.")
    model: str | None = Field(None, description="A reranker of GET /models, or default.")
    explain: bool | None = Field(None, description="True: each hit says why it stands where it does.")
    timeout_ms: int | None = Field(
        None, ge=1, le=MAX_TIMEOUT_MS, description="Time for re-ranking; what it leaves out follows unscored."
    )
    offset: int | None = Field(None, alias="from", description="Hits to pass over, for paging.")

    def to_request(self, settings: Settings) -> SearchRequest:
        """The search that this asks for, with the *settings* for what it leaves out.

        A depth below the setting's k lowers k with it. A k above the setting's depth needs a depth of its own: what
        a search costs is never raised unasked. Raises InvalidRequest and InvalidFilter.
        """
        depth = settings.depth if self.depth is None else self.depth
        if self.filter is not None:
            check_unicode(self.filter, "filter")
        return SearchRequest(
            index=self.index,
            query=self.query,
            k=min(settings.k, max(depth, 1)) if self.k is None else self.k,
            depth=depth,
            mode=self.mode or settings.mode,
            filter=None if self.filter is None else parse_filter(self.filter),
            min_score=self.min_score,
            rerank=self.rerank is not False,
            model=self.model,
            explain=bool(self.explain),
            timeout_ms=settings.timeout_ms if self.timeout_ms is None else self.timeout_ms,
            offset=self.offset or 0,
        )


class DocumentBody(StrictModel):
    """A document to be indexed."""

    doc_id: str = Field(description="Unique in the index; what is there under it is replaced.")
    text: str = Field("", description="What is searched and read.")
    title: str = Field("", description="Heads every passage of the text.")
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="Strings, numbers, booleans, dates (ISO 8601), or lists of one of them, to filter by.",
    )


class AddBody(StrictModel):
    """POST /documents."""

    index: str = Field(min_length=1, description="An index that rerank-cli ingest has made.")
    documents: list[DocumentBody] = Field(max_length=MAX_DOCUMENTS, description="The documents to be indexed.")


class DeleteBody(StrictModel):
    """DELETE /documents."""

    index: str = Field(min_length=1, description="The index to delete from.")
    doc_ids: list[str] = Field(max_length=10 * MAX_DOCUMENTS, description="The documents to be deleted.")


class PredictBody(StrictModel):
    """POST /predict, as the clients of text-embeddings-inference send it."""

    inputs: Annotated[Any, WithJsonSchema(_INPUTS)] = Field(
        description="A text, a pair [text, text], or a list of lists of one or two texts."
    )
    model: str | None = Field(None, description="A model of GET /models, or default.")
    raw_scores: bool | None = Field(None, description="True: the model's raw answers, not probabilities.")
    truncate: bool | None = Field(None, description="False: an input longer than the model reads is an error.")
    truncation_direction: str | None = Field(None, description="Taken and not used: ends are cut.")
