"""Rules for comparing two rerankers, and for the candidates of judged queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rerank.core.comparison import Comparison, compare
from rerank.core.document import Document
from rerank.core.evaluation import EvaluationOptions
from rerank.core.fusion import CROSS_ENCODER_ALONE
from rerank.core.indexing import Indexer
from rerank.core.intervals import paired_difference
from rerank.core.judging import JudgingOptions, judged_candidates
from rerank.core.judgments import Dataset, JudgedQuery
from rerank.core.pipeline import SearchPipeline
from rerank.core.protocols import Cancellation, IndexSpec, RerankScores
from rerank.core.ranking import RankingModel
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.memory_store import InMemoryStore

TOPICS = ("tea", "coffee", "milk", "water", "wine", "bread", "salt", "rice", "fish", "plum")


class ReversedReranker(FakeReranker):
    """Reranker that prefers texts with the fewest words of the query."""

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        scores = super().score(query, texts, deadline=deadline, cancellation=cancellation)
        return RerankScores(-scores.logits, scores.scored, scores.tokens, scores.truncated)


def pipeline(*models: RankingModel) -> SearchPipeline:
    encoder, store = FakeEncoder(), InMemoryStore()
    index = store.create("docs", IndexSpec(encoder.identity))
    Indexer(index, encoder).add(
        [Document(f"{topic}{i}", f"{topic} number {i} " + "other words " * i) for topic in TOPICS for i in range(3)]
    )
    store.publish(index)
    return SearchPipeline(store, encoder, FakeModels(*models))


DATASET = Dataset(
    "folder", "test", tuple(JudgedQuery(topic, f"{topic} number", {f"{topic}0": 1}) for topic in TOPICS), len(TOPICS)
)
GOOD = RankingModel(FakeReranker(name="good"), fusion=CROSS_ENCODER_ALONE)
BAD = RankingModel(ReversedReranker(name="bad"), fusion=CROSS_ENCODER_ALONE)


def compared(new: RankingModel, old: RankingModel) -> tuple[Comparison, list[tuple[int, int]]]:
    progress: list[tuple[int, int]] = []
    comparison = compare(
        pipeline(old, new),
        DATASET,
        EvaluationOptions(index="docs", depth=20, model=new.reranker.name),
        confidence=0.95,
        on_query=lambda done, total: progress.append((done, total)),
    )
    return comparison, progress


def test_better_model_is_reported_as_better() -> None:
    """The interval is above 0. Progress counts the searches of both models."""
    comparison, progress = compared(GOOD, BAD)
    report = comparison.to_json()
    assert comparison.better
    assert (report["new"], report["old"], report["queries"], report["better"]) == ("good", "bad", 10, True)
    assert comparison.difference.p <= 0.05
    assert progress == [(done, 20) for done in range(1, 21)]


def test_worse_and_equal_models_are_not_better() -> None:
    """Equal models have difference 0 and p 1."""
    assert not compared(BAD, GOOD)[0].better
    twin = RankingModel(FakeReranker(name="twin"), fusion=CROSS_ENCODER_ALONE)
    equal = compared(twin, GOOD)[0]
    assert (equal.better, equal.difference.mean, equal.difference.p) == (False, 0.0, 1.0)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_p_and_interval_agree(confidence: float) -> None:
    """The interval excludes 0 if p is at most 1 - confidence, up to rounding by one resample."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        interval = paired_difference(random.normal(0.25, 1, 60), np.zeros(60), confidence=confidence)
        if abs(interval.p - (1 - confidence)) > 0.001:
            assert (interval.low > 0 or interval.high < 0) == (interval.p < 1 - confidence)


def test_judged_candidates_have_logits_grades_and_features() -> None:
    """The candidates of each query are in first-stage order."""
    judged = judged_candidates(pipeline(GOOD), DATASET, JudgingOptions(index="docs", depth=20))
    assert [of_query.query.query_id for of_query in judged] == list(TOPICS)
    first = judged[0]
    assert [candidate.rank for candidate in first.candidates] == list(range(1, len(first.candidates) + 1))
    assert first.grades.sum() == 1
    assert first.candidates[int(first.grades.argmax())].doc_id == "tea0"
    assert {"cosine", "lexical", "score_share"} == set(first.features.columns)
    irrelevant = first.without_relevant()
    assert irrelevant is not None
    assert (len(irrelevant.candidates), irrelevant.grades.sum()) == (len(first.candidates) - 1, 0)
