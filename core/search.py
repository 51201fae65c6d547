"""A search: what is asked, what is answered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rerank.core.document import Document, Passage
from rerank.core.errors import InvalidRequest
from rerank.core.filters import Filter
from rerank.core.settings import MAX_RESULTS, Mode

SCORE_DECIMALS = 8
"""Scores are written with at most 8 decimals and never as whole numbers: json-smart, which OpenSearch's ml-commons
parses with, reads a number of more than 18 characters as a BigDecimal and one without a point as an Integer."""


class Reason(StrEnum):
    """Why an answer is in first-stage order, wholly or in part."""

    DISABLED = "disabled"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    MODEL_UNAVAILABLE = "model_unavailable"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search. `k` hits from `offset` on, out of `depth` re-ranked candidates.

    min_score None takes the model's own, 0 drops nothing; timeout_ms None sets no limit; model None takes the
    default reranker. Raises InvalidRequest, naming the key as requests spell it.
    """

    index: str
    query: str
    k: int = 10
    depth: int = 100
    mode: Mode = "hybrid"
    filter: Filter | None = None
    min_score: float | None = None
    rerank: bool = True
    model: str | None = None
    explain: bool = False
    timeout_ms: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        check_query(self.query)
        for name, value in (("k", self.k), ("depth", self.depth)):
            if not 1 <= value <= MAX_RESULTS:
                raise InvalidRequest(f'"{name}" is a whole number from 1 to {MAX_RESULTS:,}, not {value}', field=name)
        if self.k > self.depth:
            raise InvalidRequest(
                f'"k" ({self.k}) is above "depth" ({self.depth}): no more hits are returned than are re-ranked',
                field="k",
            )
        if self.offset < 0:
            raise InvalidRequest(f'"from" is a whole number from 0, not {self.offset}', field="from")
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise InvalidRequest(f'"min_score" is a finite number, not {self.min_score}', field="min_score")
        if self.timeout_ms is not None and self.timeout_ms < 1:
            raise InvalidRequest('"timeout_ms" is a whole number from 1', field="timeout_ms")


def check_query(query: str, *, field: str = "query") -> None:
    """Raise InvalidRequest for a query that no model or store can read: blank, or not valid Unicode."""
    if not query.strip():
        raise InvalidRequest(f'"{field}" is blank; send the text to search for', field=field)
    try:
        query.encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequest(f'"{field}" is not valid Unicode: a lone surrogate at {exc.start}', field=field) from exc


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the first stage found: `rank` from 1, the best passage, and where each of its parts had it.

    cosine is the vector search's, from -1 to 1; text_score the text search's, at least 0. Both are None, as the ranks
    are, where that search was not made or did not find the document.
    """

    passage: Passage
    rank: int
    retrieval_score: float
    vector_rank: int | None = None
    text_rank: int | None = None
    cosine: float | None = None
    text_score: float | None = None

    @property
    def doc_id(self) -> str:
        """The document found."""
        return self.passage.doc_id


@dataclass(frozen=True, slots=True)
class FusionPart:
    """What one feature adds to a fused score: its value times its weight."""

    feature: str
    value: float
    weight: float

    @property
    def contribution(self) -> float:
        """The term itself."""
        return self.value * self.weight

    def to_json(self) -> dict[str, object]:
        """As answers carry it."""
        return {
            "feature": self.feature,
            "value": rounded(self.value),
            "weight": rounded(self.weight),
            "contribution": rounded(self.contribution),
        }


@dataclass(frozen=True, slots=True)
class FusionExplanation:
    """The fused score that a hit stands by, what it is the sum of, and the log-odds that its `score` says."""

    fused: float
    parts: tuple[FusionPart, ...]
    log_odds: float

    def to_json(self) -> dict[str, object]:
        """As answers carry it."""
        return {
            "fused": rounded(self.fused),
            "log_odds": rounded(self.log_odds),
            "parts": [part.to_json() for part in self.parts],
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explanation of a hit's rank.

    logit, tokens and truncated are None for a candidate that the cross-encoder did not score. estimated_logit replaces
    the logit of such a candidate in the fusion; None where there is no estimate.
    """

    logit: float | None
    tokens: int | None
    truncated: bool | None
    vector_rank: int | None
    text_rank: int | None
    fusion: FusionExplanation | None
    estimated_logit: float | None = None

    def to_json(self) -> dict[str, object]:
        """As answers carry it."""
        return {
            "logit": None if self.logit is None else rounded(self.logit),
            "estimated_logit": None if self.estimated_logit is None else rounded(self.estimated_logit),
            "tokens": self.tokens,
            "truncated": self.truncated,
            "vector_rank": self.vector_rank,
            "text_rank": self.text_rank,
            "fusion": None if self.fusion is None else self.fusion.to_json(),
        }


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate in its final place: `rank` from 1 in the whole ranking."""

    candidate: Candidate
    rank: int
    score: float
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Hit:
    """A document in its final place, with the passage that put it there."""

    document: Document
    ranked: RankedCandidate

    def to_json(self, *, explain: bool) -> dict[str, object]:
        """As answers carry it."""
        passage = self.ranked.candidate.passage
        hit: dict[str, object] = {
            "doc_id": self.document.doc_id,
            "rank": self.ranked.rank,
            "score": rounded(self.ranked.score),
            "retrieval_rank": self.ranked.candidate.rank,
            "retrieval_score": rounded(self.ranked.candidate.retrieval_score),
            "title": self.document.title,
            "text": self.document.text,
            "metadata": dict(self.document.metadata),
            "passage": {"text": passage.text, "start": passage.start, "end": passage.end},
        }
        if explain:
            hit["explain"] = self.ranked.explanation.to_json()
        return hit


@dataclass(frozen=True, slots=True)
class RerankReport:
    """Report of how one search was reranked. `reason` is None when all selected candidates were scored.

    candidates: number retrieved. scored: number that the cross-encoder scored. estimated: number of the others that
    were ranked by an estimated logit. dropped: number below min_score. cached: number of scores from the cache.
    warning: why the model's ranking may be poor, None if no reason is known.
    """

    applied: bool
    reason: Reason | None
    model: str | None
    candidates: int
    scored: int = 0
    dropped: int = 0
    cached: int = 0
    query_truncated: bool = False
    warning: str | None = None
    estimated: int = 0

    def to_json(self) -> dict[str, object]:
        """As answers carry it."""
        return {
            "applied": self.applied,
            "reason": None if self.reason is None else str(self.reason),
            "model": self.model,
            "candidates": self.candidates,
            "scored": self.scored,
            "estimated": self.estimated,
            "dropped": self.dropped,
            "cached": self.cached,
            "query_truncated": self.query_truncated,
            "warning": self.warning,
        }


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one search. `took_ms` has encode, retrieve, rerank and total, in milliseconds."""

    request: SearchRequest
    hits: tuple[Hit, ...]
    rerank: RerankReport
    took_ms: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The body of POST /search, which `rerank-cli search --json` prints as well."""
        return {
            "query": self.request.query,
            "index": self.request.index,
            "hits": [hit.to_json(explain=self.request.explain) for hit in self.hits],
            "rerank": self.rerank.to_json(),
            "took_ms": {stage: round(value, 3) for stage, value in self.took_ms.items()},
        }


def rounded(score: float) -> float:
    """*score* as it is written (see SCORE_DECIMALS). The order is made before it, from the whole number."""
    return round(float(score), SCORE_DECIMALS)
