"""Evaluation of search orders against judgments: nDCG@k, RR@k and R@100 by ir-measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rerank.core.first_stage import FirstStage, RelevantDocuments, Searches
from rerank.core.intervals import CONFIDENCE, RESAMPLES, SEED, Interval, paired_difference
from rerank.core.judgments import Dataset, JudgedQuery
from rerank.core.latency import Latency, Stopwatch, percentiles
from rerank.core.orders import ORDERS, Order, ScoredDocument
from rerank.core.ranking import Ranking, RankingModel, rerank_or_fail
from rerank.core.retrieval import RetrievalOptions
from rerank.core.setting_types import Mode

RECALL_CUTOFF = 100

PerQuery = Mapping[str, NDArray[np.float64]]
"""Values per query by measure, float64 (queries,), in the order of the dataset."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Options of an evaluation: searches of `index` by `mode` that rerank `depth` documents with `model`.

    `k` is the cut-off of nDCG and RR. `exact` compares every vector in the first stage. Searches of an index that
    rerank did not build ignore `mode` and `exact`.
    """

    index: str
    k: int = 10
    depth: int = 100
    mode: Mode = "hybrid"
    model: str | None = None
    exact: bool = False


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation.

    runs: documents of each query by order, best first. per_query: values of each measure by order. latencies: by stage.
    first_stage: how the index was searched, as JSON values. documents: the relevant documents, and how many of them the
    index lacks. truncated: number of the `scored` query-passage pairs that the cross-encoder truncated.
    """

    dataset: Dataset
    options: EvaluationOptions
    first_stage: Mapping[str, object]
    encoder: str
    reranker: str
    runs: Mapping[str, Mapping[str, list[ScoredDocument]]]
    per_query: Mapping[str, PerQuery]
    latencies: Mapping[str, Latency]
    documents: RelevantDocuments
    scored: int
    truncated: int

    def means(self, order: str) -> dict[str, float]:
        """Returns the mean of each measure of *order*."""
        return {measure: float(values.mean()) for measure, values in self.per_query[order].items()}

    def difference(self, order: str, baseline: str) -> dict[str, Interval]:
        """Returns each measure of *order* minus that of *baseline*, with its interval."""
        return {
            measure: paired_difference(values, self.per_query[baseline][measure])
            for measure, values in self.per_query[order].items()
        }

    def differences(self) -> dict[tuple[str, str], dict[str, Interval]]:
        """Returns the differences of every order to each order before it."""
        return {(later, earlier): self.difference(later, earlier) for earlier, later in combinations(self.per_query, 2)}

    def to_json(self) -> dict[str, object]:
        """Returns the report that docs/evaluating.md describes."""
        return {
            "dataset": self.dataset.path,
            "split": self.dataset.split,
            "index": self.options.index,
            **self.first_stage,
            "depth": self.options.depth,
            "k": self.options.k,
            "encoder": self.encoder,
            "reranker": self.reranker,
            "queries": len(self.dataset.queries),
            "judged_queries": self.dataset.judged,
            "queries_without_relevant": self.dataset.without_relevant,
            "queries_without_text": self.dataset.without_text,
            "relevant_documents": self.documents.relevant,
            "absent_documents": self.documents.absent,
            "scored_pairs": self.scored,
            "truncated_pairs": self.truncated,
            "measures": {
                order: {measure: round(mean, 6) for measure, mean in self.means(order).items()} for order in self.runs
            },
            "differences": {
                f"{order}_minus_{baseline}": {measure: interval.to_json() for measure, interval in measures.items()}
                for (order, baseline), measures in self.differences().items()
            },
            "intervals": {
                "method": "paired bootstrap over queries, percentile",
                "confidence": CONFIDENCE,
                "resamples": RESAMPLES,
                "seed": SEED,
            },
            "latency_ms": {stage: latency.to_json() for stage, latency in self.latencies.items()},
        }


def evaluate(
    searches: Searches,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    orders: Mapping[str, Order] = ORDERS,
    on_query: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Searches once for each query of *dataset*, without time budget or min_score, and measures each of *orders*.

    *on_query* receives the number of finished queries and their total. The first query runs once before timing starts,
    so that no percentile includes the warm-up. Raises what the first stage raises, ModelNotFound, ModelError if the
    reranker fails (an evaluation never falls back to first-stage order), and CorpusError if the index has no relevant
    document.
    """
    first_stage = searches.first_stage(
        options.index, RetrievalOptions(options.mode, options.depth, exact=options.exact)
    )
    model = searches.models.get(options.model)
    documents = RelevantDocuments.of(dataset, first_stage)
    search = _MeasuredSearch(first_stage, model)
    search.run(dataset.queries[0])
    runs: dict[str, dict[str, list[ScoredDocument]]] = {name: {} for name in orders}
    laps: list[dict[str, float]] = []
    scored = truncated = 0
    for done, query in enumerate(dataset.queries, start=1):
        ranking, lap = search.run(query)
        laps.append(lap)
        for name, order in orders.items():
            runs[name][query.query_id] = order(ranking)
        scored += ranking.report.scored
        truncated += sum(bool(entry.explanation.truncated) for entry in ranking.ranked)
        if on_query is not None:
            on_query(done, len(dataset.queries))
    return Evaluation(
        dataset=dataset,
        options=options,
        first_stage=first_stage.parameters(),
        encoder=searches.encoder.name,
        reranker=model.reranker.name,
        runs=runs,
        per_query={name: measure(dataset, run, k=options.k) for name, run in runs.items()},
        latencies=percentiles(laps),
        documents=documents,
        scored=scored,
        truncated=truncated,
    )


def measure(
    dataset: Dataset, run: Mapping[str, list[ScoredDocument]], *, k: int = 10
) -> dict[str, NDArray[np.float64]]:
    """Returns nDCG@k, RR@k and R@100 of *run* by name; they are 0 for a query without results."""
    # Imported here, because the import installs a log handler and loads providers, which searches do not need.
    import ir_measures
    from ir_measures import RR, Qrel, R, ScoredDoc, nDCG

    qrels = [
        Qrel(query.query_id, doc_id, grade) for query in dataset.queries for doc_id, grade in query.relevance.items()
    ]
    # Negative ranks instead of scores: the library breaks ties of scores in its own order.
    documents = [
        ScoredDoc(query_id, document.doc_id, float(-rank))
        for query_id, ranked in run.items()
        for rank, document in enumerate(ranked, start=1)
    ]
    names = [nDCG @ k, RR @ k, R @ RECALL_CUTOFF]
    row = {query.query_id: i for i, query in enumerate(dataset.queries)}
    values = {str(name): np.zeros(len(row)) for name in names}
    for metric in ir_measures.iter_calc(names, qrels, documents):
        values[str(metric.measure)][row[metric.query_id]] = metric.value
    return values


@dataclass(frozen=True)
class _MeasuredSearch:
    """Search of one index with one model, timed by stage."""

    first_stage: FirstStage
    model: RankingModel

    def run(self, query: JudgedQuery) -> tuple[Ranking, dict[str, float]]:
        """Returns the complete ranking of *query* and the milliseconds of each stage."""
        stopwatch = Stopwatch()
        retrieved = self.first_stage.search(query.text, stopwatch)
        ranking = rerank_or_fail(self.model, retrieved.query, retrieved.candidates)
        stopwatch.lap("rerank")
        return ranking, stopwatch.total()
