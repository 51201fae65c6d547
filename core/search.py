"""Values of a search: request, candidates, hits and report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rerank.core.boosts import BoostExplanation, Boosts
from rerank.core.document import Document, Passage
from rerank.core.errors import InvalidRequest
from rerank.core.filters import Filter
from rerank.core.setting_types import Mode
from rerank.core.settings import MAX_RESULTS, MAX_TIMEOUT_MS

SCORE_DECIMALS = 8
"""Scores in JSON have at most 8 decimals and always a decimal point: json-smart, the parser of OpenSearch's ml-commons,
returns a BigDecimal for numbers of more than 18 characters and an Integer for numbers without a point."""


class Reason(StrEnum):
    """Reason why all candidates, or the unscored ones, are in first-stage order."""

    DISABLED = "disabled"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    MODEL_UNAVAILABLE = "model_unavailable"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Search request: `k` hits from `offset`, out of `depth` reranked candidates.

    min_score None uses the threshold of the model, 0 drops nothing; timeout_ms None sets no limit; model None uses the
    default reranker. Raises InvalidRequest with the key as spelled in requests.
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
    boosts: Boosts | None = None

    def __post_init__(self) -> None:
        check_query(self.query)
        for name, value in (("k", self.k), ("depth", self.depth)):
            if not 1 <= value <= MAX_RESULTS:
                raise InvalidRequest(f'"{name}" must be an integer from 1 to {MAX_RESULTS:,}, got {value}', field=name)
        if self.k > self.depth:
            raise InvalidRequest(
                f'"k" ({self.k}) must not exceed "depth" ({self.depth}). Lower "k" or raise "depth"',
                field="k",
            )
        if self.offset < 0:
            raise InvalidRequest(f'"from" must be an integer, 0 or more, got {self.offset}', field="from")
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise InvalidRequest(f'"min_score" must be a finite number, got {self.min_score}', field="min_score")
        if self.timeout_ms is not None and not 1 <= self.timeout_ms <= MAX_TIMEOUT_MS:
            raise InvalidRequest(
                f'"timeout_ms" must be an integer from 1 to {MAX_TIMEOUT_MS:,}, got {self.timeout_ms}',
                field="timeout_ms",
            )


def check_query(query: str, *, field: str = "query") -> None:
    """Raises InvalidRequest for a query that is blank or not valid Unicode."""
    if not query.strip():
        raise InvalidRequest(f'"{field}" is blank. Send the text to search for', field=field)
    try:
        query.encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequest(
            f'"{field}" is not valid Unicode: a lone surrogate at character {exc.start}', field=field
        ) from exc


@dataclass(frozen=True, slots=True)
class Candidate:
    """Document that the first stage retrieved, with its best passage and its `rank` from 1.

    vector_rank and cosine (-1 to 1) come from the vector search, text_rank and text_score (at least 0) from the text
    search. They are None if that search did not run or did not retrieve the document.
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
        """Id of the document."""
        return self.passage.doc_id


@dataclass(frozen=True, slots=True)
class FusionPart:
    """Term of a fused score: value of one feature times its weight."""

    feature: str
    value: float
    weight: float

    @property
    def contribution(self) -> float:
        """Value times weight."""
        return self.value * self.weight

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for responses."""
        return {
            "feature": self.feature,
            "value": rounded(self.value),
            "weight": rounded(self.weight),
            "contribution": rounded(self.contribution),
        }


@dataclass(frozen=True, slots=True)
class FusionExplanation:
    """Fused score of a hit with its terms, and the log-odds of its `score`."""

    fused: float
    parts: tuple[FusionPart, ...]
    log_odds: float

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for responses."""
        return {
            "fused": rounded(self.fused),
            "log_odds": rounded(self.log_odds),
            "parts": [part.to_json() for part in self.parts],
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explanation of a hit's rank.

    logit, tokens and truncated are None for a candidate that the cross-encoder did not score. estimated_logit replaces
    the logit of such a candidate in the fusion; None for other candidates. empty_text: True for a candidate
    without any token, which ranks last.
    """

    logit: float | None
    tokens: int | None
    truncated: bool | None
    vector_rank: int | None
    text_rank: int | None
    fusion: FusionExplanation | None
    estimated_logit: float | None = None
    boosts: BoostExplanation | None = None
    empty_text: bool = False

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for responses; `boosts` only for a search with boosts."""
        boosts = {} if self.boosts is None else {"boosts": self.boosts.to_json()}
        return {
            "logit": None if self.logit is None else rounded(self.logit),
            "estimated_logit": None if self.estimated_logit is None else rounded(self.estimated_logit),
            "tokens": self.tokens,
            "truncated": self.truncated,
            "vector_rank": self.vector_rank,
            "text_rank": self.text_rank,
            "empty_text": self.empty_text,
            "fusion": None if self.fusion is None else self.fusion.to_json(),
            **boosts,
        }


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """Candidate with its final rank, from 1, and its final score."""

    candidate: Candidate
    rank: int
    score: float
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Hit:
    """Document in the response, with its ranked candidate."""

    document: Document
    ranked: RankedCandidate

    def to_json(self, *, explain: bool) -> dict[str, object]:
        """Returns the JSON form for responses."""
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
    warning: reason for a possibly poor ranking by the model, or None.
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
        """Returns the JSON form for responses."""
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
    """Result of one search. `took_ms` has encode, retrieve, rerank and total, in milliseconds."""

    request: SearchRequest
    hits: tuple[Hit, ...]
    rerank: RerankReport
    took_ms: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Returns the response body of POST /search, also printed by `rerank-cli search --json`."""
        return {
            "query": self.request.query,
            "index": self.request.index,
            "hits": [hit.to_json(explain=self.request.explain) for hit in self.hits],
            "rerank": self.rerank.to_json(),
            "took_ms": {stage: round(milliseconds, 3) for stage, milliseconds in self.took_ms.items()},
        }


def rounded(score: float) -> float:
    """Returns *score* rounded to SCORE_DECIMALS. Rankings use the score before rounding."""
    return round(float(score), SCORE_DECIMALS)
