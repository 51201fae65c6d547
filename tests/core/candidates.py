"""Candidates of one query with given first-stage scores."""

from __future__ import annotations

from collections.abc import Sequence

from rerank.core.document import Passage
from rerank.core.search import Candidate


def candidate(rank: int, *, score: float = 0.0, cosine: float | None = None, text: float | None = None) -> Candidate:
    """Returns the document `d<rank>`. Its vector and text ranks equal its rank if it has such a score."""
    return Candidate(
        passage=Passage(f"d{rank}", 0, "", f"text {rank}", 0, 6),
        rank=rank,
        retrieval_score=score,
        vector_rank=None if cosine is None else rank,
        text_rank=None if text is None else rank,
        cosine=cosine,
        text_score=text,
    )


def by_score(scores: Sequence[float]) -> list[Candidate]:
    """Returns candidates with only a first-stage score, like the hits of another search engine."""
    return [candidate(rank, score=score) for rank, score in enumerate(scores, start=1)]
