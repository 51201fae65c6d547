"""Response bodies, key by key. /openapi.json publishes them; tests validate every response against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, RootModel

from rerank.service.strict_model import StrictModel


class PassageSpan(StrictModel):
    """The best passage of a hit, as character offsets into the hit's text."""

    text: str
    start: int
    end: int


class FusionTerm(StrictModel):
    """The contribution of one feature to a fused score."""

    feature: str
    value: float
    weight: float
    contribution: float


class FusedScore(StrictModel):
    """The fused score that orders the hits, its terms, and the log-odds whose sigmoid is the hit's score."""

    fused: float
    log_odds: float
    parts: list[FusionTerm]


class BoostTerm(StrictModel):
    """A boost of a hit in log-odds. value is null if the field has no usable value, for the stated reason."""

    boost: Literal["recency", "log"]
    field: str
    value: float | None
    weight: float
    contribution: float
    reason: str | None


class BoostedScore(StrictModel):
    """The boosts of a hit, the log-odds of its final score, and its position among the pinned ids."""

    log_odds: float | None
    terms: list[BoostTerm]
    pinned: int | None


class HitExplanation(StrictModel):
    """The reasons for a hit's rank. The fields of the cross-encoder are null for a hit that it did not score."""

    logit: float | None
    estimated_logit: float | None
    tokens: int | None
    truncated: bool | None
    vector_rank: int | None
    text_rank: int | None
    empty_text: bool
    fusion: FusedScore | None
    boosts: BoostedScore | None = None


class SearchHit(StrictModel):
    """A document with its final rank and its first-stage rank."""

    doc_id: str
    rank: int
    score: float
    retrieval_rank: int
    retrieval_score: float
    title: str
    text: str
    metadata: dict[str, Any]
    passage: PassageSpan
    explain: HitExplanation | None = None


class RerankSummary(StrictModel):
    """The outcome of reranking."""

    applied: bool
    reason: Literal["disabled", "timeout", "overloaded", "model_unavailable", "error"] | None
    model: str | None
    candidates: int
    scored: int
    estimated: int
    dropped: int
    cached: int
    query_truncated: bool
    warning: str | None


class StageTimes(StrictModel):
    """Duration of each stage, in milliseconds."""

    encode: float
    retrieve: float
    rerank: float
    total: float


class SearchResponse(StrictModel):
    """The result of a search."""

    query: str
    index: str
    hits: list[SearchHit]
    rerank: RerankSummary
    took_ms: StageTimes


class RejectedDocument(StrictModel):
    """A document that was not written, with the reason."""

    doc_id: str
    reason: str


class AddResponse(StrictModel):
    """Counts of written documents. skipped: unchanged. duplicates: repeated within the request."""

    index: str
    indexed: int
    passages: int
    skipped: int
    duplicates: int
    rejected: list[RejectedDocument]


class DeleteResponse(StrictModel):
    """Number of documents that existed and were deleted."""

    index: str
    deleted: int


class EncoderSummary(StrictModel):
    """The encoder that built an index."""

    name: str
    fingerprint: str
    dim: int


class IndexSummary(StrictModel):
    """An index. fields: the types of the metadata fields."""

    name: str
    documents: int
    passages: int
    encoder: EncoderSummary
    analyzer: str
    created: str
    fields: dict[str, Literal["string", "number", "boolean", "date"]]


class IndexesResponse(StrictModel):
    """The indexes of the store."""

    indexes: list[IndexSummary]


class ModelsResponse(StrictModel):
    """The models by public name. data: the format of the clients of OpenAI, infinity, vLLM and Xinference."""

    models: list[dict[str, Any]]
    object: Literal["list"]
    data: list[dict[str, Any]]


class ReloadResponse(StrictModel):
    """The reloaded parts, and the changed settings that need a restart."""

    reloaded: list[str]
    restart_required: list[str]


class HealthResponse(StrictModel):
    """The process is alive."""

    status: Literal["ok"]


class ReadyResponse(StrictModel):
    """The service is ready for requests. breaker: the state of the proxy's circuit breaker."""

    status: Literal["ready"]
    missing: list[str]
    breaker: Literal["closed", "open", "half_open"] | None = None


class PredictedLabel(StrictModel):
    """A label with its probability or raw score."""

    score: float
    label: str


class PredictResponse(RootModel[list[PredictedLabel] | list[list[PredictedLabel]]]):
    """The labels of one input, or of each input of a batch, best first."""


class ErrorBody(StrictModel):
    """An error. error, message and detail hold the same sentence, because clients differ in the key that they read."""

    error: str
    message: str
    detail: str
    error_type: str
    field: str | None = Field(None, description="Key of the request that caused the error, if any.")
