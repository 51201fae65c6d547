"""What a search finds for judged queries, with everything that a fusion weighs and a calibration is fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import FirstStageFeatures
from rerank.core.judgments import Dataset, JudgedQuery
from rerank.core.pipeline import SearchPipeline, check_encoder
from rerank.core.ranking import RankingModel
from rerank.core.retrieval import RetrievalOptions
from rerank.core.search import Candidate
from rerank.core.settings import Mode


@dataclass(frozen=True)
class JudgedCandidates:
    """One query's n candidates in first-stage order, at least one.

    logits: float32 (n,). grades: int64 (n,), 0 where nothing was judged. relevant: all grades above 0 that the query
    has, found or not.
    """

    query_id: str
    candidates: Sequence[Candidate]
    logits: NDArray[np.float32]
    grades: NDArray[np.int64]
    relevant: NDArray[np.int64]

    @cached_property
    def features(self) -> FirstStageFeatures:
        """What the first stage knows of the candidates."""
        return FirstStageFeatures.of(self.candidates)

    def without_answers(self) -> JudgedCandidates | None:
        """The query as an index would have met it that holds none of its answers; None where nothing is left of it."""
        rest = np.flatnonzero(self.grades == 0)
        if not len(rest):
            return None
        left = [self.candidates[int(place)] for place in rest]
        return JudgedCandidates(self.query_id, left, self.logits[rest], self.grades[rest], np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """Which searches are judged: of *index* by *mode*, `depth` candidates read by *model*."""

    index: str
    depth: int = 100
    mode: Mode = "hybrid"
    model: str | None = None


def judged_candidates(
    pipeline: SearchPipeline,
    dataset: Dataset,
    options: JudgingOptions,
    *,
    on_query: Callable[[int, int], None] | None = None,
) -> list[JudgedCandidates]:
    """Search for each query of *dataset*, without time budget; a query that finds nothing is left out.

    *on_query* hears how many queries are done, and of how many. Raises what SearchPipeline.search raises, and
    ModelError when the reranker fails.
    """
    index = pipeline.store.open(options.index)
    check_encoder(index, pipeline.encoder)
    model = pipeline.models.get(options.model)
    retrieval = RetrievalOptions(options.mode, options.depth)
    found = []
    for done, query in enumerate(dataset.queries, start=1):
        vector = None if options.mode == "text" else pipeline.query_vector(query.text)
        candidates = pipeline.retriever.candidates(index, query.text, vector, retrieval)
        if candidates:
            logits = _logits(model, query, [candidate.passage.headed_text for candidate in candidates])
            grades = [max(query.relevance.get(candidate.doc_id, 0), 0) for candidate in candidates]
            found.append(
                JudgedCandidates(
                    query.query_id,
                    candidates,
                    logits,
                    np.array(grades, dtype=np.int64),
                    np.array([grade for grade in query.relevance.values() if grade > 0], dtype=np.int64),
                )
            )
        if on_query is not None:
            on_query(done, len(dataset.queries))
    return found


def ndcg(scores: NDArray[np.float64], judged: JudgedCandidates, *, k: int = 10) -> float:
    """nDCG@k of the candidates by falling score, equal ones in first-stage order, gains as ir-measures has them."""
    order = np.argsort(-scores, kind="stable")[:k]
    ideal = np.sort(judged.relevant)[::-1][:k]
    return _discounted(judged.grades[order]) / _discounted(ideal) if len(ideal) else 0.0


def _discounted(gains: NDArray[np.int64]) -> float:
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())


def _logits(model: RankingModel, query: JudgedQuery, texts: list[str]) -> NDArray[np.float32]:
    return model.reranker.score(query.text, texts).logits
