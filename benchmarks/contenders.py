"""What it costs in nDCG@10 to read a search's contenders alone: every candidate is read once, and then fewer count.

    python -m benchmarks.contenders --data DIR --store STORE [--queries 60] [--model NAME] [--sets NAME …]
                                    [--mode vector --fast NAME]

Sets are ingested as for served_order, whose queries are asked: 100 candidates, hybrid where --mode does not say
otherwise. A line for each number of contenders: the final order's mean minus that of reading all, over the sets and set
by set. --fast names what chooses them where the first stage cannot: by vectors or by words alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.served_order import ALL_SETS, judged
from rerank.core.intervals import mean_difference_over_sets
from rerank.core.judging import JudgedCandidates, JudgingOptions, judged_candidates, ndcg
from rerank.core.protocols import Cancellation, RerankScores
from rerank.core.ranking import FastModel, RankingModel, rerank_or_fail
from rerank.core.reranker_around import RerankerAround
from rerank.core.searching import SearchPipeline
from rerank.core.settings import Mode, Settings
from rerank.index.opening import open_store
from rerank.models.loading import LoadedModels, load_encoder

NUMBERS = (10, 20, 30, 40, 50)


@dataclass(frozen=True)
class Remembered(RerankerAround):
    """What a reranker has said of the texts of one query."""

    logits: Mapping[str, float]

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """As the reranker did, at once."""
        n = len(texts)
        return RerankScores(
            logits=np.array([self.logits[text] for text in texts], dtype=np.float32),
            scored=np.ones(n, dtype=np.bool_),
            tokens=np.ones(n, dtype=np.int32),
            truncated=np.zeros(n, dtype=np.bool_),
        )


def remembered(model: RankingModel, one: JudgedCandidates) -> RankingModel:
    """*model*, of which nothing is left but what it said."""
    texts = [candidate.passage.headed_text for candidate in one.candidates]
    return replace(model, reranker=Remembered(model.reranker, dict(zip(texts, one.logits.tolist(), strict=True))))


def gain(model: RankingModel, one: JudgedCandidates, contenders: int) -> float:
    """nDCG@10 of the final order with so many contenders; 0 reads all."""
    reading = replace(model, contenders=contenders).contending(one.candidates)
    ranked = rerank_or_fail(reading, "", one.candidates).ranked
    scores = np.zeros(len(ranked))
    for entry in ranked:
        scores[entry.candidate.rank - 1] = -entry.rank
    return ndcg(scores, one)


def gains(
    full: tuple[RankingModel, Sequence[JudgedCandidates]],
    fast: tuple[RankingModel, Sequence[JudgedCandidates]] | None,
) -> dict[int, NDArray[np.float64]]:
    """By number of contenders, float64 (queries,)."""
    values: dict[int, list[float]] = {number: [] for number in (0, *NUMBERS)}
    for place, one in enumerate(full[1]):
        model = remembered(full[0], one)
        if fast is not None:
            quick = remembered(fast[0], fast[1][place])
            model = replace(model, fast=FastModel(quick.reranker, quick.fusion))
        for number, found in values.items():
            found.append(gain(model, one, number))
    return {number: np.array(found) for number, found in values.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--model", default="default")
    parser.add_argument("--mode", choices=get_args(Mode), default="hybrid")
    parser.add_argument("--fast")
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--sets", nargs="*", choices=list(ALL_SETS), default=list(ALL_SETS))
    options = parser.parse_args()
    store, encoder = open_store(options.store), load_encoder(options.encoder)
    names = [options.model, *([options.fast] if options.fast else [])]
    models = [LoadedModels.of(Settings(reranker=name, contenders=0)) for name in names]
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    for name in options.sets:
        dataset = judged(options.data, name, options.queries)
        read = [
            (
                loaded.get(None),
                judged_candidates(
                    SearchPipeline(store, encoder, loaded), dataset, JudgingOptions(index=name, mode=options.mode)
                ),
            )
            for loaded in models
        ]
        found[name] = gains(read[0], read[1] if len(read) > 1 else None)
        print(f"{name}: {found[name][0].mean():.4f} by reading all", flush=True)
    print("| contenders | mean of the sets | " + " | ".join(found) + " |\n" + "|---" * (len(found) + 2) + "|")
    for number in NUMBERS:
        whole = mean_difference_over_sets([(values[number], values[0]) for values in found.values()])
        cells = [f"{(values[number] - values[0]).mean():+.4f}" for values in found.values()]
        mean = f"{whole.mean:+.4f} [{whole.low:+.4f}, {whole.high:+.4f}]"
        print(f"| {number} | {mean} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
