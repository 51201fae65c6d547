"""How good a search is on judged queries: the first stage, the cross-encoder alone, and the final order.

One scoring pass a query gives all orders, so that they differ in nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ir_measures
import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.intervals import Interval, paired_difference
from core.judgments import Dataset, JudgedQuery
from core.latency import Latency, percentiles
from core.orders import ORDERS, Order, ScoredDocument
from core.protocols import Index
from core.ranking import Ranking, RankingModel, rerank
from core.retrieval import Retrieval
from core.searching import SearchPipeline, check_encoder
from core.settings import Mode

BASELINE = "first_stage"
RECALL_DEPTH = 100


@dataclass(frozen=True)
class EvaluationOptions:
    """What is measured: `depth` candidates of `index` by `mode`, scored at `k`. model None takes the default one."""

    index: str
    k: int = 10
    depth: int = 100
    mode: Mode = "hybrid"
    model: str | None = None
    exact: bool = False
    orders: Mapping[str, Order] = field(default_factory=lambda: dict(ORDERS))


@dataclass(frozen=True)
class Evaluation:
    """Scores by query: values[order][measure] is float64 (queries,), in the data set's order.

    runs[order] holds `depth` documents a query, best first.
    """

    dataset: Dataset
    options: EvaluationOptions
    model: str
    values: Mapping[str, Mapping[str, NDArray[np.float64]]]
    runs: Mapping[str, Mapping[str, list[ScoredDocument]]]
    latency: Mapping[str, Latency]

    def means(self) -> dict[str, dict[str, float]]:
        """The mean of each measure, by order."""
        return {
            order: {measure: float(values.mean()) for measure, values in measures.items()}
            for order, measures in self.values.items()
        }

    def differences(self) -> dict[str, dict[str, Interval]]:
        """Each order's mean difference to the first stage, with its 95% interval."""
        baseline = self.values[BASELINE]
        return {
            order: {measure: paired_difference(values, baseline[measure]) for measure, values in measures.items()}
            for order, measures in self.values.items()
            if order != BASELINE
        }

    def to_json(self) -> dict[str, object]:
        """What `rerank-cli evaluate --json` prints."""
        return {
            "dataset": self.dataset.path,
            "split": self.dataset.split,
            "queries": len(self.dataset.queries),
            "judged": self.dataset.judged,
            "index": self.options.index,
            "mode": self.options.mode,
            "depth": self.options.depth,
            "model": self.model,
            "measures": {
                order: {measure: round(mean, 6) for measure, mean in means.items()}
                for order, means in self.means().items()
            },
            "differences": {
                order: {measure: interval.to_json() for measure, interval in intervals.items()}
                for order, intervals in self.differences().items()
            },
            "latency_ms": {stage: latency.to_json() for stage, latency in self.latency.items()},
        }


def evaluate(
    pipeline: SearchPipeline,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    on_query: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Search every query of *dataset*, without time budget or min_score, and compare the orders.

    *on_query* is called with the number of queries done and of all. Raises IndexNotFound, EncoderMismatch,
    ModelNotFound, ModelError when a query cannot be scored, and StoreError.
    """
    index = pipeline.store.open(options.index)
    check_encoder(index, pipeline.encoder)
    model = pipeline.models.get(options.model)
    runs: dict[str, dict[str, list[ScoredDocument]]] = {name: {} for name in options.orders}
    laps: list[Mapping[str, float]] = []
    for done, query in enumerate(dataset.queries, start=1):
        ranking, lap = _ranking(pipeline, index, model, query, options)
        laps.append(lap)
        for name, order in options.orders.items():
            runs[name][query.query_id] = order(ranking)
        if on_query is not None:
            on_query(done, len(dataset.queries))
    values = {name: _measured(dataset, run, options.k) for name, run in runs.items()}
    return Evaluation(dataset, options, model.reranker.name, values, runs, percentiles(laps))


def _ranking(
    pipeline: SearchPipeline, index: Index, model: RankingModel, query: JudgedQuery, options: EvaluationOptions
) -> tuple[Ranking, dict[str, float]]:
    started = time.perf_counter()
    vector = None if options.mode == "text" else pipeline.encoder.encode_queries([query.text])[0]
    encoded = time.perf_counter()
    retrieval = Retrieval(options.mode, options.depth, exact=options.exact)
    candidates = retrieval.candidates(index, query.text, vector)
    retrieved = time.perf_counter()
    ranking = rerank(model, query.text, candidates)
    ended = time.perf_counter()
    if ranking.report.reason is not None:
        raise ModelError(
            f'the reranker "{model.reranker.name}" failed at query "{query.query_id}" ({ranking.report.reason}); '
            "an evaluation needs every score"
        )
    seconds = {
        "encode": encoded - started,
        "retrieve": retrieved - encoded,
        "rerank": ended - retrieved,
        "total": ended - started,
    }
    return ranking, {stage: value * 1000 for stage, value in seconds.items()}


def _measured(dataset: Dataset, run: Mapping[str, list[ScoredDocument]], k: int) -> dict[str, NDArray[np.float64]]:
    measures = [ir_measures.nDCG @ k, ir_measures.RR @ k, ir_measures.R @ RECALL_DEPTH]
    position = {query.query_id: i for i, query in enumerate(dataset.queries)}
    qrels = [
        ir_measures.Qrel(query.query_id, doc_id, grade)
        for query in dataset.queries
        for doc_id, grade in query.relevance.items()
    ]
    # The order counts, and measuring tools order by score: places instead of scores leave them no ties to break.
    scored = [
        ir_measures.ScoredDoc(query_id, document.doc_id, -float(place))
        for query_id, documents in run.items()
        for place, document in enumerate(documents)
    ]
    values = {str(measure): np.zeros(len(position)) for measure in measures}
    for metric in ir_measures.iter_calc(measures, qrels, scored):
        values[str(metric.measure)][position[metric.query_id]] = metric.value
    return values
