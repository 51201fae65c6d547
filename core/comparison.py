"""Comparison of two rerankers on judged queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rerank.core.evaluation import Evaluation, EvaluationOptions, evaluate
from rerank.core.first_stage import Searches
from rerank.core.intervals import Interval, paired_difference
from rerank.core.judgments import Dataset
from rerank.core.orders import ORDERS

MEASURE = "nDCG@10"


@dataclass(frozen=True)
class Comparison:
    """Comparison of the final orders of two models. difference: nDCG@10 of new minus old, paired over queries."""

    new: Evaluation
    old: Evaluation
    confidence: float
    difference: Interval

    @property
    def better(self) -> bool:
        """True if the whole interval is above 0."""
        return self.difference.low > 0

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for reports and promotion records."""
        return {
            "new": self.new.reranker,
            "old": self.old.reranker,
            "dataset": self.new.dataset.path,
            "split": self.new.dataset.split,
            "index": self.new.options.index,
            "queries": len(self.new.dataset.queries),
            "measure": MEASURE,
            "new_mean": round(self.new.means("reranked")[MEASURE], 6),
            "old_mean": round(self.old.means("reranked")[MEASURE], 6),
            "first_stage_mean": round(self.new.means("first_stage")[MEASURE], 6),
            "difference": self.difference.to_json(),
            "confidence": self.confidence,
            "better": self.better,
        }


def compare(
    searches: Searches,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    confidence: float,
    on_query: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compares the model named in *options* with the default model of *searches*.

    *on_query* receives the number of finished searches and the total of both models. Raises what `evaluate` raises.
    """
    orders = {name: ORDERS[name] for name in ("first_stage", "reranked")}
    queries = len(dataset.queries)

    def report_new(done: int, _total: int) -> None:
        if on_query is not None:
            on_query(done, 2 * queries)

    def report_old(done: int, _total: int) -> None:
        if on_query is not None:
            on_query(queries + done, 2 * queries)

    # The measure is nDCG@10, so the setting k must not change the cut-off.
    options = replace(options, k=10)
    new = evaluate(searches, dataset, options, orders=orders, on_query=report_new)
    old = evaluate(searches, dataset, replace(options, model=None), orders=orders, on_query=report_old)
    values, baseline = (evaluation.per_query["reranked"][MEASURE] for evaluation in (new, old))
    return Comparison(new, old, confidence, paired_difference(values, baseline, confidence=confidence))
