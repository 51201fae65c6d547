"""Hits of a search response, before and after reranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank.core.document import Passage
from rerank.core.ranking import Ranking
from rerank.core.search import Candidate, RankedCandidate, rounded

HitKey = tuple[str, str]
"""Index name and document id."""

NO_TEXT = "no_text"
"""Reason in the explanation of a hit without text in the scored fields."""


@dataclass(frozen=True, slots=True)
class RankedHit:
    """Scores and ranks of a hit. The ranking cache holds it instead of the hit itself."""

    key: HitKey
    retrieval_rank: int
    retrieval_score: float
    score: float
    explanation: Mapping[str, object] | None = None

    @classmethod
    def from_candidate(
        cls, entry: RankedCandidate, key: HitKey, *, explain: bool, fields: Sequence[str] = ()
    ) -> RankedHit:
        """Returns the hit *key* with the scores of *entry*, and with its explanation if *explain* is set.

        The explanation lists the scored *fields*, and gives the reason if the hit has no text in them.
        """
        candidate = entry.candidate
        explanation = None
        if explain:
            reason = None if candidate.passage.text else NO_TEXT
            explanation = {**entry.explanation.to_json(), "fields": list(fields), "reason": reason}
        return cls(key, candidate.rank, candidate.retrieval_score, entry.score, explanation)

    def add_to(self, hit: Mapping[str, Any]) -> dict[str, Any]:
        """Returns *hit* with its final score, and with its first-stage rank and score under `_rerank`."""
        details: dict[str, object] = {
            "retrieval_rank": self.retrieval_rank,
            "retrieval_score": rounded(self.retrieval_score),
            "score": rounded(self.score),
        }
        if self.explanation is not None:
            details["explain"] = dict(self.explanation)
        return {**hit, "_score": rounded(self.score), "_rerank": details}


def hits_of(response: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Returns the hits of a search response, or None if *response* is not a search response."""
    outer = response.get("hits")
    hits = outer.get("hits") if isinstance(outer, Mapping) else None
    return hits if isinstance(hits, list) and all(isinstance(hit, Mapping) for hit in hits) else None


def key_of(hit: Mapping[str, Any]) -> HitKey:
    """Returns the key that identifies *hit*."""
    return str(hit.get("_index", "")), str(hit.get("_id", ""))


def score_of(hit: Mapping[str, Any]) -> float:
    """Returns the score of *hit*, or 0 if it has none."""
    score = hit.get("_score")
    return float(score) if isinstance(score, int | float) else 0.0


def candidates_of(hits: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> list[Candidate]:
    """Returns the *hits* with their *texts* as candidates, in the same order. The doc_id is the position from 0."""
    return [
        Candidate(Passage(str(i), 0, "", text, 0, len(text)), i + 1, score_of(hit))
        for i, (hit, text) in enumerate(zip(hits, texts, strict=True))
    ]


def filter_of_keys(keys: Sequence[HitKey]) -> dict[str, Any]:
    """Returns a query that matches the documents of *keys*: several indexes may have documents with equal ids."""
    ids: dict[str, list[str]] = {}
    for index, doc_id in keys:
        ids.setdefault(index, []).append(doc_id)
    clauses = [
        {"bool": {"filter": [{"term": {"_index": index}}, {"ids": {"values": values}}]}}
        for index, values in ids.items()
    ]
    return {"bool": {"should": clauses, "minimum_should_match": 1}}


def ranked_hits(
    ranking: Ranking, hits: Sequence[Mapping[str, Any]], *, explain: bool = False, fields: Sequence[str] = ()
) -> list[RankedHit]:
    """Returns the hits in the order of *ranking*, which ranks candidates_of(*hits*, …) by the text of *fields*."""
    return [
        RankedHit.from_candidate(entry, key_of(hits[int(entry.candidate.doc_id)]), explain=explain, fields=fields)
        for entry in ranking.ranked
    ]


def with_remaining_hits(
    order: Sequence[RankedHit], hits: Sequence[Mapping[str, Any]], *, after: int
) -> list[RankedHit]:
    """Returns *order* followed by the *hits* after position *after* that it does not contain, in first-stage order.

    Their scores decrease from the last score of *order*.
    """
    known = {entry.key for entry in order}
    rest = [(i, hit) for i, hit in enumerate(hits, start=1) if i > after and key_of(hit) not in known]
    last_score = order[-1].score if order else 1.0
    tail = [
        RankedHit(key_of(hit), i, score_of(hit), last_score * (1 - position / (len(rest) + 1)))
        for position, (i, hit) in enumerate(rest, start=1)
    ]
    return [*order, *tail]
