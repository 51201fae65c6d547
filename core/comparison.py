"""Whether one reranker orders better than another, on judged queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rerank.core.evaluation import Evaluation, EvaluationOptions, evaluate
from rerank.core.intervals import Interval, paired_difference
from rerank.core.judgments import Dataset
from rerank.core.orders import ORDERS
from rerank.core.pipeline import SearchPipeline

MEASURE = "nDCG@10"


@dataclass(frozen=True)
class Comparison:
    """Two models' final orders of the same candidates. difference: new minus old, nDCG@10, paired over queries."""

    new: Evaluation
    old: Evaluation
    confidence: float
    difference: Interval

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.difference.low > 0

    def to_json(self) -> dict[str, object]:
        """As reports carry it, and a promotion keeps it."""
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
    pipeline: SearchPipeline,
    dataset: Dataset,
    options: EvaluationOptions,
    *,
    confidence: float,
    on_query: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare the model that *options* name with the pipeline's default one.

    *on_query* hears how many searches are done, of both models. Raises what evaluate raises.
    """
    orders = {name: ORDERS[name] for name in ("first_stage", "reranked")}
    twice = 2 * len(dataset.queries)

    def second(done: int, of: int) -> None:
        if on_query is not None:
            on_query(of + done, twice)

    def first(done: int, _: int) -> None:
        if on_query is not None:
            on_query(done, twice)

    # The cut is nDCG's own: what is compared does not move with the setting k.
    options = replace(options, k=10)
    new = evaluate(pipeline, dataset, options, orders=orders, on_query=first)
    old = evaluate(pipeline, dataset, replace(options, model=None), orders=orders, on_query=second)
    values, baseline = (one.per_query["reranked"][MEASURE] for one in (new, old))
    return Comparison(new, old, confidence, paired_difference(values, baseline, confidence=confidence))
