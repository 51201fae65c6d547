"""The first stage: candidates by vector, by text, or by both, fused by rank."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.filters import Filter
from rerank.core.fusion import reciprocal_rank_fusion
from rerank.core.protocols import Index, PassageMatch
from rerank.core.search import Candidate
from rerank.core.settings import Mode


@dataclass(frozen=True)
class Retrieval:
    """What is fetched: `depth` documents by `mode`, of those that `filter` lets through."""

    mode: Mode
    depth: int
    filter: Filter | None = None
    exact: bool = False

    def candidates(self, index: Index, query: str, vector: NDArray[np.float32] | None) -> list[Candidate]:
        """The candidates of *query*, best first; *vector* (dim,) is needed unless the mode is text."""
        if self.mode == "text":
            return _one_order(self._by_text(index, query), vector_ranks=False)
        if vector is None:
            raise ValueError("retrieval by vector needs the query's vector")
        if self.mode == "vector":
            return _one_order(self._by_vector(index, vector), vector_ranks=True)
        # Both wait for the store most of their time: a search takes as long as the slower one.
        with ThreadPoolExecutor(max_workers=1) as beside:
            by_text = beside.submit(self._by_text, index, query)
            by_vector = self._by_vector(index, vector)
        return _fused(by_vector, by_text.result(), self.depth)

    def _by_vector(self, index: Index, vector: NDArray[np.float32]) -> list[PassageMatch]:
        return index.knn(vector, k=self.depth, filter=self.filter, exact=self.exact)

    def _by_text(self, index: Index, query: str) -> list[PassageMatch]:
        return index.match(query, k=self.depth, filter=self.filter)


def _one_order(matches: Sequence[PassageMatch], *, vector_ranks: bool) -> list[Candidate]:
    return [
        Candidate(
            passage=match.passage,
            rank=rank,
            retrieval_score=match.score,
            vector_rank=rank if vector_ranks else None,
            text_rank=None if vector_ranks else rank,
            cosine=match.score if vector_ranks else None,
            text_score=None if vector_ranks else match.score,
        )
        for rank, match in enumerate(matches, start=1)
    ]


def _fused(by_vector: Sequence[PassageMatch], by_text: Sequence[PassageMatch], depth: int) -> list[Candidate]:
    """Reciprocal rank fusion; a document's passage is the one from the order that ranks it better."""
    orders = [[match.passage.doc_id for match in matches] for matches in (by_vector, by_text)]
    vector_ranks, text_ranks = ({doc_id: rank for rank, doc_id in enumerate(order, 1)} for order in orders)
    passages = [{match.passage.doc_id: match.passage for match in matches} for matches in (by_vector, by_text)]
    cosines, text_scores = ({match.passage.doc_id: match.score for match in found} for found in (by_vector, by_text))
    scores = reciprocal_rank_fusion(orders)
    last = len(scores) + 1
    best = sorted(scores, key=lambda doc_id: (-scores[doc_id], vector_ranks.get(doc_id, last), doc_id))[:depth]
    return [
        Candidate(
            passage=passages[0 if vector_ranks.get(doc_id, last) <= text_ranks.get(doc_id, last) else 1][doc_id],
            rank=rank,
            retrieval_score=scores[doc_id],
            vector_rank=vector_ranks.get(doc_id),
            text_rank=text_ranks.get(doc_id),
            cosine=cosines.get(doc_id),
            text_score=text_scores.get(doc_id),
        )
        for rank, doc_id in enumerate(best, start=1)
    ]
