"""What answers carry, key by key: the descriptions in /openapi.json. Tests hold every answer against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, RootModel

from rerank.service.strict_model import StrictModel


class PassageSpan(StrictModel):
    """The passage that a hit was found by: characters of its text."""

    text: str
    start: int
    end: int


class FusionTerm(StrictModel):
    """What one feature adds to a fused score."""

    feature: str
    value: float
    weight: float
    contribution: float


class FusedScore(StrictModel):
    """The score that a hit stands by, its terms, and the log-odds whose sigmoid is the hit's score."""

    fused: float
    log_odds: float
    parts: list[FusionTerm]


class HitExplanation(StrictModel):
    """Explanation of a hit's rank. The fields of the cross-encoder are null for a hit that it did not score."""

    logit: float | None
    estimated_logit: float | None
    tokens: int | None
    truncated: bool | None
    vector_rank: int | None
    text_rank: int | None
    fusion: FusedScore | None


class SearchHit(StrictModel):
    """A document, in its final place and where the first stage had it."""

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
    """What re-ranking did."""

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
    """Milliseconds."""

    encode: float
    retrieve: float
    rerank: float
    total: float


class SearchResponse(StrictModel):
    """The answer to a search."""

    query: str
    index: str
    hits: list[SearchHit]
    rerank: RerankSummary
    took_ms: StageTimes


class Rejection(StrictModel):
    """A document that was not written."""

    doc_id: str
    reason: str


class AddResponse(StrictModel):
    """What became of the documents; skipped: unchanged, duplicates: came again in the same request."""

    index: str
    indexed: int
    passages: int
    skipped: int
    duplicates: int
    rejected: list[Rejection]


class DeleteResponse(StrictModel):
    """How many of the documents were there."""

    index: str
    deleted: int


class EncoderSummary(StrictModel):
    """The encoder that an index was built with."""

    name: str
    fingerprint: str
    dim: int


class IndexSummary(StrictModel):
    """An index."""

    name: str
    documents: int
    passages: int
    encoder: EncoderSummary
    analyzer: str
    created: str


class IndexesResponse(StrictModel):
    """What can be searched."""

    indexes: list[IndexSummary]


class ModelsResponse(StrictModel):
    """The models, as `rerank-cli models list --json` prints them, and as infinity's clients read them."""

    models: list[dict[str, Any]]
    object: Literal["list"]
    data: list[dict[str, Any]]


class HealthResponse(StrictModel):
    """The process lives."""

    status: Literal["ok"]


class ReadyResponse(StrictModel):
    """The service can serve."""

    status: Literal["ready"]
    missing: list[str]
    breaker: Literal["closed", "open", "half_open"] | None = None


class PredictedLabel(StrictModel):
    """A label, and its probability or raw score."""

    score: float
    label: str


class PredictResponse(RootModel[list[PredictedLabel] | list[list[PredictedLabel]]]):
    """The labels of one input, or of each of several, best first."""


class ErrorResponse(StrictModel):
    """Every error: error, message and detail are the same sentence."""

    error: str
    message: str
    detail: str
    error_type: str
    field: str | None = Field(None, description="The key of the request that is wrong, where it is one.")
