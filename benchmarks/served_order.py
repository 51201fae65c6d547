"""Quality of the served ranking on whole sets that the models were not trained on.

    python -m benchmarks.served_order --data DIR --store STORE --results FILE [--queries 100] [--sets NAME ...]

First ingest each set: `rerank-cli ingest DIR/SET --index SET --store STORE`. --encoder and --model select other models
than the built-in ones. --precision and --contenders work as the settings, but all candidates are
scored by default (`benchmarks.contenders` measures the difference). Hybrid first stage, 100 candidates. FILE stores the
results of each set; a set with the same queries and model is not measured again, so that several calls make one table.
--sets without a name prints the stored results.

Columns are nDCG@10 of vector search, hybrid search, the served ranking without the cross-encoder's term, the cross-
encoder alone, and the served ranking, and its differences from the first three with 95% intervals.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.development_sets import SETS, is_for_development
from rerank.core.evaluation import EvaluationOptions, evaluate, measure
from rerank.core.intervals import Interval, mean_difference_over_sets, paired_difference
from rerank.core.judgments import Dataset, load_dataset
from rerank.core.orders import ORDERS, ScoredDocument
from rerank.core.pipeline import SearchPipeline
from rerank.core.ranking import Ranking
from rerank.core.retrieval import RetrievalOptions
from rerank.core.setting_types import Precision
from rerank.core.settings import Settings
from rerank.index.opening import open_store
from rerank.models.loading import LoadedModels, load_encoder

MEASURE = "nDCG@10"
ALL_SETS = {**SETS, "climate_fever": None, "xquad_en": None}
FOLDERS = {"xquad_en": "squad_pieces/xquad_en"}
COLUMNS = ("vector", "hybrid", "without the cross-encoder", "cross-encoder alone", "served")
AGAINST = ("vector", "hybrid", "without the cross-encoder")

Results = dict[str, dict[str, object]]


def judged(data: Path, name: str, queries: int) -> Dataset:
    """Returns a sample of the queries of a set that no model was trained on."""
    dataset = load_dataset(data / FOLDERS.get(name, name), ALL_SETS[name])
    held_out = tuple(query for query in dataset.queries if is_for_development(name, query, data))
    return replace(dataset, queries=held_out).sampled(queries)


def by_vector(pipeline: SearchPipeline, dataset: Dataset, index: str) -> dict[str, list[ScoredDocument]]:
    """Returns the ranking of vector search."""
    opened, options = pipeline.store.open(index), RetrievalOptions("vector", 100)
    vectors = pipeline.encoder.encode_queries([query.text for query in dataset.queries])
    return {
        query.query_id: [
            ScoredDocument(candidate.doc_id, candidate.retrieval_score)
            for candidate in pipeline.retriever.candidates(opened, query.text, vector, options)
        ]
        for query, vector in zip(dataset.queries, vectors, strict=True)
    }


def without_cross_encoder(ranking: Ranking) -> list[ScoredDocument]:
    """Returns the ranking by the final score without the cross-encoder's term. Ties keep first-stage order."""
    scored = []
    for entry in ranking.ranked:
        parts = entry.explanation.fusion.parts if entry.explanation.fusion else ()
        rest = sum(part.contribution for part in parts if "logit" not in part.feature)
        scored.append((-rest, entry.candidate.rank, entry.candidate.doc_id))
    return [ScoredDocument(doc_id, -negated) for negated, _, doc_id in sorted(scored)]


def measure_set(pipeline: SearchPipeline, dataset: Dataset, name: str) -> dict[str, NDArray[np.float64]]:
    """Returns nDCG@10 of each query by column, float64 (queries,)."""
    orders = {**ORDERS, "without": without_cross_encoder}
    per_query = evaluate(pipeline, dataset, EvaluationOptions(index=name), orders=orders).per_query
    values = (
        measure(dataset, by_vector(pipeline, dataset, name)),
        *(per_query[order] for order in ("first_stage", "without", "cross_encoder", "reranked")),
    )
    return {column: value[MEASURE] for column, value in zip(COLUMNS, values, strict=True)}


def table(results: Results) -> str:
    """Returns the results as Markdown: a row per set, followed by their mean."""
    lines = [
        "| set | queries | " + " | ".join([*COLUMNS, *(f"served - {other}" for other in AGAINST)]) + " |",
        "|---" * (len(COLUMNS) + len(AGAINST) + 2) + "|",
    ]
    sets = [_orders(result) for result in results.values()]
    for name, orders in zip(results, sets, strict=True):
        against = [_format(paired_difference(orders["served"], orders[other])) for other in AGAINST]
        lines.append(_line(name, str(len(orders["served"])), orders, against))
    means = {column: np.array([orders[column].mean() for orders in sets]) for column in COLUMNS}
    pairs = [[(orders["served"], orders[other]) for orders in sets] for other in AGAINST]
    return "\n".join(
        [*lines, _line("**mean**", "", means, [_format(mean_difference_over_sets(pair)) for pair in pairs])]
    )


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        reranker=options.model,
        precision=options.precision,
        contenders=options.contenders,
    )


def _orders(result: Mapping[str, object]) -> dict[str, NDArray[np.float64]]:
    return {column: np.array(result[column], dtype=np.float64) for column in COLUMNS}


def _line(name: str, queries: str, orders: Mapping[str, NDArray[np.float64]], further: Sequence[str]) -> str:
    cells = [name, queries, *(f"{orders[column].mean():.4f}" for column in COLUMNS), *further]
    return "| " + " | ".join(cells) + " |"


def _format(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def main() -> None:
    """Measures the missing sets and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--model", default="default")
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--contenders", type=int, default=0)
    parser.add_argument("--sets", nargs="*", choices=list(ALL_SETS), default=list(ALL_SETS))
    options = parser.parse_args()
    results: Results = json.loads(options.results.read_text()) if options.results.exists() else {}
    if options.sets:
        pipeline = SearchPipeline(
            open_store(options.store), load_encoder(options.encoder), LoadedModels.of(_settings(options))
        )
        model = f"{pipeline.encoder.fingerprint} {pipeline.models.get(None).reranker.fingerprint}"
        for name in options.sets:
            dataset = judged(options.data, name, options.queries)
            key = {"model": model, "ids": [query.query_id for query in dataset.queries]}
            if key.items() <= results.get(name, {}).items():
                continue
            orders = measure_set(pipeline, dataset, name)
            results[name] = {**key, **{column: values.tolist() for column, values in orders.items()}}
            options.results.write_text(json.dumps(results))
    print(table(results))


if __name__ == "__main__":
    main()
