"""Candidates of judged queries with logits, features and grades: the input for fitting fusion and calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rerank.core.features import FirstStageFeatures
from rerank.core.first_stage import RelevantDocuments, Searches
from rerank.core.judgments import Dataset, JudgedQuery
from rerank.core.latency import Stopwatch
from rerank.core.ranking import RankingModel
from rerank.core.retrieval import RetrievalOptions
from rerank.core.search import Candidate
from rerank.core.setting_types import Mode


@dataclass(frozen=True)
class JudgedCandidates:
    """Candidates of one judged query in first-stage order, n >= 1.

    logits: float32 (n,). grades: int64 (n,), 0 for unjudged documents. relevant: all positive grades of the query,
    including documents that were not retrieved.
    """

    query: JudgedQuery
    candidates: Sequence[Candidate]
    logits: NDArray[np.float32]
    grades: NDArray[np.int64]
    relevant: NDArray[np.int64]

    @cached_property
    def features(self) -> FirstStageFeatures:
        """First-stage features of the candidates."""
        return FirstStageFeatures.of(self.query.text, self.candidates)

    def without_relevant(self) -> JudgedCandidates | None:
        """Returns the query without its relevant candidates, as if the index lacked them; None if all are relevant."""
        positions = np.flatnonzero(self.grades == 0)
        if not len(positions):
            return None
        irrelevant = [self.candidates[i] for i in positions.tolist()]
        return JudgedCandidates(
            self.query, irrelevant, self.logits[positions], self.grades[positions], np.zeros(0, dtype=np.int64)
        )


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """Options of the searches: `depth` candidates of *index* by *mode*, scored by *model*."""

    index: str
    depth: int = 100
    mode: Mode = "hybrid"
    model: str | None = None


def judged_candidates(
    searches: Searches,
    dataset: Dataset,
    options: JudgingOptions,
    *,
    on_query: Callable[[int, int], None] | None = None,
) -> list[JudgedCandidates]:
    """Returns the scored candidates of each query of *dataset*; leaves out queries without candidates.

    All candidates are scored, without a time budget. *on_query* receives the number of finished queries and their
    total. Raises what the first stage raises, CorpusError if the index has no relevant document, and ModelError if the
    reranker fails.
    """
    first_stage = searches.first_stage(options.index, RetrievalOptions(options.mode, options.depth))
    model = searches.models.get(options.model)
    RelevantDocuments.of(dataset, first_stage)
    judged = []
    for done, query in enumerate(dataset.queries, start=1):
        retrieved = first_stage.search(query.text, Stopwatch())
        candidates = retrieved.candidates
        if candidates:
            searched = replace(query, text=retrieved.query)
            logits = _logits(model, searched, [candidate.passage.headed_text for candidate in candidates])
            grades = [max(query.relevance.get(candidate.doc_id, 0), 0) for candidate in candidates]
            judged.append(
                JudgedCandidates(
                    searched,
                    candidates,
                    logits,
                    np.array(grades, dtype=np.int64),
                    np.array([grade for grade in query.relevance.values() if grade > 0], dtype=np.int64),
                )
            )
        if on_query is not None:
            on_query(done, len(dataset.queries))
    return judged


def ndcg(scores: NDArray[np.float64], judged: JudgedCandidates, *, k: int = 10) -> float:
    """Returns nDCG@k of the candidates by decreasing score, ties in first-stage order, with gains as in ir-measures."""
    order = np.argsort(-scores, kind="stable")[:k]
    ideal = np.sort(judged.relevant)[::-1][:k]
    return _discounted(judged.grades[order]) / _discounted(ideal) if len(ideal) else 0.0


def _discounted(gains: NDArray[np.int64]) -> float:
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())


def _logits(model: RankingModel, query: JudgedQuery, texts: list[str]) -> NDArray[np.float32]:
    return model.reranker.score(query.text, texts).logits
