"""Cost in nDCG@10 of scoring only the contenders of a search. Every candidate is scored once, then fewer count.

    python -m benchmarks.contenders --data DIR --store STORE [--queries 60] [--model NAME] [--sets NAME …]

The sets are ingested as for served_order; its queries retrieve 100 candidates each by hybrid search. The table has a
row for each number of contenders: mean nDCG@10 of the final order minus that of scoring all, over the sets and per set.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.served_order import ALL_SETS, judged
from rerank.core.delegating_reranker import DelegatingReranker
from rerank.core.intervals import mean_difference_over_sets
from rerank.core.judging import JudgedCandidates, JudgingOptions, judged_candidates, ndcg
from rerank.core.pipeline import SearchPipeline
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.ranking import RankingModel, rerank_or_fail
from rerank.core.settings import Settings
from rerank.index.opening import open_store
from rerank.models.loading import LoadedModels, load_encoder

NUMBERS = (10, 20, 30, 40, 50)


@dataclass(frozen=True)
class StoredLogits(DelegatingReranker):
    """Reranker that returns stored logits of the texts of one query."""

    logits: Mapping[str, float]

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Returns the stored logits."""
        n = len(texts)
        return RerankScores(
            logits=np.array([self.logits[text] for text in texts], dtype=np.float32),
            scored=np.ones(n, dtype=np.bool_),
            tokens=np.ones(n, dtype=np.int32),
            truncated=np.zeros(n, dtype=np.bool_),
        )


def with_stored_logits(model: RankingModel, judged_query: JudgedCandidates) -> RankingModel:
    """Returns *model* with a reranker that looks its logits up."""
    texts = [candidate.passage.headed_text for candidate in judged_query.candidates]
    stored = dict(zip(texts, judged_query.logits.tolist(), strict=True))
    return replace(model, reranker=StoredLogits(model.reranker, stored))


def gain(model: RankingModel, judged_query: JudgedCandidates) -> float:
    """Returns nDCG@10 of the final order."""
    ranked = rerank_or_fail(model, "", judged_query.candidates).ranked
    scores = np.zeros(len(ranked))
    for entry in ranked:
        scores[entry.candidate.rank - 1] = -entry.rank
    return ndcg(scores, judged_query)


def gains(model: RankingModel, judged_queries: Sequence[JudgedCandidates]) -> dict[int, NDArray[np.float64]]:
    """Returns nDCG@10 per query, float64 (queries,), by number of contenders; 0 stands for all."""
    stored = [(with_stored_logits(model, judged_query), judged_query) for judged_query in judged_queries]
    return {
        number: np.array(
            [gain(replace(ranking_model, contenders=number), judged_query) for ranking_model, judged_query in stored]
        )
        for number in (0, *NUMBERS)
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--model", default="default")
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--sets", nargs="*", choices=list(ALL_SETS), default=list(ALL_SETS))
    options = parser.parse_args()
    store, encoder = open_store(options.store), load_encoder(options.encoder)
    models = LoadedModels.of(Settings(reranker=options.model, contenders=0))
    pipeline = SearchPipeline(store, encoder, models)
    ndcg_by_set: dict[str, dict[int, NDArray[np.float64]]] = {}
    for name in options.sets:
        dataset = judged(options.data, name, options.queries)
        ndcg_by_set[name] = gains(models.get(None), judged_candidates(pipeline, dataset, JudgingOptions(index=name)))
        print(f"{name}: {ndcg_by_set[name][0].mean():.4f} when all are scored", flush=True)
    print(
        "| contenders | mean of the sets | " + " | ".join(ndcg_by_set) + " |\n" + "|---" * (len(ndcg_by_set) + 2) + "|"
    )
    for number in NUMBERS:
        interval = mean_difference_over_sets([(values[number], values[0]) for values in ndcg_by_set.values()])
        cells = [f"{(values[number] - values[0]).mean():+.4f}" for values in ndcg_by_set.values()]
        mean = f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
        print(f"| {number} | {mean} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
