"""The first stage: retrieves candidates by vector, by text, or by both with reciprocal rank fusion."""

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
from rerank.core.setting_types import Mode

_THREADS = 16


@dataclass(frozen=True)
class RetrievalOptions:
    """Options of the first stage: `depth` documents by `mode`, restricted by `filter`.

    exact: compares the query with every vector instead of searching approximately.
    """

    mode: Mode
    depth: int
    filter: Filter | None = None
    exact: bool = False


class Retriever:
    """First stage over any index. Hybrid searches share one pool of *threads*. Safe for concurrent use."""

    def __init__(self, *, threads: int = _THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="retrieval")

    def candidates(
        self, index: Index, query: str, vector: NDArray[np.float32] | None, options: RetrievalOptions
    ) -> list[Candidate]:
        """Returns the candidates of *query*, best first.

        Raises ValueError without a *vector* (dim,) unless the mode is text, and what the index raises.
        """
        if options.mode == "text":
            return _candidates_of(_by_text(index, query, options), vector_ranks=False)
        if vector is None:
            raise ValueError(f"mode {options.mode} requires the vector of the query")
        if options.mode == "vector":
            return _candidates_of(_by_vector(index, vector, options), vector_ranks=True)
        # Both queries mostly wait for the store, so in parallel they take as long as the slower one.
        by_text = self._pool.submit(_by_text, index, query, options)
        try:
            by_vector = _by_vector(index, vector, options)
        except BaseException:
            by_text.cancel()
            raise
        return _fused(by_vector, by_text.result(), options.depth)

    def close(self) -> None:
        """Stops the threads after running searches finish."""
        self._pool.shutdown()


def _by_vector(index: Index, vector: NDArray[np.float32], options: RetrievalOptions) -> list[PassageMatch]:
    return index.knn(vector, k=options.depth, filter=options.filter, exact=options.exact)


def _by_text(index: Index, query: str, options: RetrievalOptions) -> list[PassageMatch]:
    return index.match(query, k=options.depth, filter=options.filter)


def _candidates_of(matches: Sequence[PassageMatch], *, vector_ranks: bool) -> list[Candidate]:
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
    """Returns both orders fused by reciprocal rank; a document's passage comes from the order that ranks it higher."""
    orders = [[match.passage.doc_id for match in matches] for matches in (by_vector, by_text)]
    vector_ranks, text_ranks = ({doc_id: rank for rank, doc_id in enumerate(order, 1)} for order in orders)
    passages = [{match.passage.doc_id: match.passage for match in matches} for matches in (by_vector, by_text)]
    cosines, text_scores = (
        {match.passage.doc_id: match.score for match in matches} for matches in (by_vector, by_text)
    )
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
