"""Request bodies, key by key: models that validate requests and describe them in /openapi.json.

An optional key may also be null, which means the same as leaving it out.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, FiniteFloat

from rerank.core.filters import parse_filter
from rerank.core.search import SearchRequest
from rerank.core.setting_types import Mode
from rerank.core.settings import MAX_RESULTS, MAX_TIMEOUT_MS, Settings
from rerank.service.boost_models import BoostsBody
from rerank.service.strict_model import StrictModel
from rerank.service.validation import check_unicode

"""One hour. Clients do not wait longer, and a deadline this far away cannot overflow a clock."""

MAX_DOCUMENTS = 1000
"""Number of documents that one request may index."""

MAX_TEXTS = 10_000
"""Number of texts that one request may rerank, as in Cohere's API."""

IGNORED = "Accepted for compatibility and ignored."


class SearchOptions(StrictModel):
    """Keys of both POST /search and GET /search."""

    index: str = Field(min_length=1, description="Index to search.")
    k: int | None = Field(None, description="Number of hits to return.", json_schema_extra={"maximum": MAX_RESULTS})
    depth: int | None = Field(
        None, description="Number of candidates to rerank.", json_schema_extra={"maximum": MAX_RESULTS}
    )
    mode: Mode | None = Field(
        None, description="First stage: vector, text, or hybrid (both, combined by reciprocal rank fusion)."
    )
    min_score: FiniteFloat | None = Field(
        None, description="Minimum score of a hit, on the scale of `score`; 0 returns all hits."
    )
    rerank: bool | None = Field(None, description="false: return first-stage order.")
    model: str | None = Field(None, description="Reranker to use: a name from GET /models, or default.")
    explain: bool | None = Field(None, description="true: explain the rank of each hit.")
    timeout_ms: int | None = Field(
        None,
        ge=1,
        le=MAX_TIMEOUT_MS,
        description="Time budget for reranking, in milliseconds; unscored candidates follow the scored ones.",
    )
    offset: int | None = Field(None, alias="from", description="Number of hits to skip, for paging.")


class SearchParameters(SearchOptions):
    """Query string of GET /search."""

    q: str = Field(description="Query text.")


class SearchBody(SearchOptions):
    """Body of POST /search."""

    query: str = Field(description="Query text.")
    filter: dict[str, Any] | None = Field(None, description="OpenSearch filter clause over metadata.* fields.")
    boosts: BoostsBody | None = Field(None, description="Boosts of the final order, over metadata.* fields.")

    def to_request(self, settings: Settings) -> SearchRequest:
        """Returns the search request, with defaults from *settings*.

        A depth below the default k lowers k as well. A k above the default depth requires an explicit depth, because
        a request must not cost more than its client requested. Raises InvalidRequest and InvalidFilter.
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
            boosts=None if self.boosts is None else self.boosts.to_boosts(),
        )


class DocumentBody(StrictModel):
    """A document to index."""

    doc_id: str = Field(description="Unique id in the index; replaces a document with the same id.")
    text: str = Field("", description="Text to search and rerank.")
    title: str = Field("", description="Title, prepended to every passage of the text.")
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields to filter by: strings, numbers, booleans, ISO 8601 dates, or lists of one of these types.",
    )


class AddBody(StrictModel):
    """Body of POST /documents."""

    index: str = Field(min_length=1, description="Index created by rerank-cli ingest.")
    documents: list[DocumentBody] = Field(max_length=MAX_DOCUMENTS, description="Documents to index.")


class DeleteBody(StrictModel):
    """Body of DELETE /documents."""

    index: str = Field(min_length=1, description="Index to delete from.")
    doc_ids: list[str] = Field(max_length=10 * MAX_DOCUMENTS, description="Ids of the documents to delete.")
