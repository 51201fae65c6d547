"""The hits of an answer, in their final order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank.core.document import Passage
from rerank.core.ranking import Ranking
from rerank.core.search import Candidate, RankedCandidate, rounded

HitKey = tuple[str, str]
"""Index and id."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A hit's place in a ranking: what is kept of it for the next page."""

    key: HitKey
    retrieval_rank: int
    retrieval_score: float
    score: float
    explanation: Mapping[str, object] | None = None

    @classmethod
    def of(cls, entry: RankedCandidate, key: HitKey, *, explain: bool) -> Placed:
        """From core's ranking; the explanation only where it will be shown."""
        candidate = entry.candidate
        explanation = entry.explanation.to_json() if explain else None
        return cls(key, candidate.rank, candidate.retrieval_score, entry.score, explanation)

    def on(self, hit: Mapping[str, Any]) -> dict[str, Any]:
        """*hit* with its final score, and where it stood before."""
        place: dict[str, object] = {
            "retrieval_rank": self.retrieval_rank,
            "retrieval_score": rounded(self.retrieval_score),
            "score": rounded(self.score),
        }
        if self.explanation is not None:
            place["explain"] = dict(self.explanation)
        return {**hit, "_score": rounded(self.score), "_rerank": place}


def hits_of(answer: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The hits of a search's answer; None for what has none, and for what is no answer to a search."""
    outer = answer.get("hits")
    hits = outer.get("hits") if isinstance(outer, Mapping) else None
    return hits if isinstance(hits, list) and all(isinstance(hit, Mapping) for hit in hits) else None


def key_of(hit: Mapping[str, Any]) -> HitKey:
    """What tells a hit from every other."""
    return str(hit.get("_index", "")), str(hit.get("_id", ""))


def score_of(hit: Mapping[str, Any]) -> float:
    """The hit's score; 0 for one that has none."""
    score = hit.get("_score")
    return float(score) if isinstance(score, int | float) else 0.0


def candidates_of(hits: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> list[Candidate]:
    """The *hits* with their *texts*, in the server's order. A candidate's doc_id is its place in it, from 0."""
    return [
        Candidate(Passage(str(i), 0, "", text, 0, len(text)), i + 1, score_of(hit))
        for i, (hit, text) in enumerate(zip(hits, texts, strict=True))
    ]


def placed(ranking: Ranking, hits: Sequence[Mapping[str, Any]], *, explain: bool = False) -> list[Placed]:
    """The ranking of candidates_of(*hits*, …), by the hits' keys."""
    return [Placed.of(entry, key_of(hits[int(entry.candidate.doc_id)]), explain=explain) for entry in ranking.ranked]


def followed_by(order: Sequence[Placed], hits: Sequence[Mapping[str, Any]], *, after: int) -> list[Placed]:
    """*order*, and below its last score those *hits* (in the server's order) behind the first *after* that it does not
    have."""
    known = {entry.key for entry in order}
    rest = [(i, hit) for i, hit in enumerate(hits, start=1) if i > after and key_of(hit) not in known]
    floor = order[-1].score if order else 1.0
    tail = [
        Placed(key_of(hit), i, score_of(hit), floor * (1 - place / (len(rest) + 1)))
        for place, (i, hit) in enumerate(rest, start=1)
    ]
    return [*order, *tail]
