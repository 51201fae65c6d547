"""How the product orders whole sets that its models were not trained on, as a user meets it.

    python -m benchmarks.served_order --data DIR --store STORE [--queries 50] [--sets NAME ...] [--model NAME]

Each set is ingested first: `rerank-cli ingest DIR/SET --index SET --store STORE`. Hybrid first stage, 100 candidates.
Columns are nDCG@10: vector search, the served order without the cross-encoder's term (which is the first stage's), the
cross-encoder alone, the served order, and its differences to vector search and to the first stage with 95% intervals.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.development_sets import SETS, develops
from core.evaluation import EvaluationOptions, evaluate, measure
from core.intervals import Interval, paired_difference
from core.judgments import Dataset, load_dataset
from core.orders import ScoredDocument
from core.retrieval import Retrieval
from core.searching import SearchPipeline
from index.opening import open_store
from models.loading import LoadedModels, load_encoder

MEASURE = "nDCG@10"
ALL_SETS = {**SETS, "climate_fever": None}


def judged(data: Path, name: str, queries: int) -> Dataset:
    """The queries of one set that no model was trained on, a sample of them."""
    whole = load_dataset(data / name, ALL_SETS[name])
    kept = tuple(query for query in whole.queries if develops(name, query, data))
    return replace(whole, queries=kept).sampled(queries)


def by_vector(pipeline: SearchPipeline, dataset: Dataset, index: str) -> dict[str, list[ScoredDocument]]:
    """The order of vector search alone."""
    opened, retrieval = pipeline.store.open(index), Retrieval("vector", 100)
    vectors = pipeline.encoder.encode_queries([query.text for query in dataset.queries])
    return {
        query.query_id: [
            ScoredDocument(candidate.doc_id, candidate.retrieval_score)
            for candidate in retrieval.candidates(opened, query.text, vector)
        ]
        for query, vector in zip(dataset.queries, vectors, strict=True)
    }


def shown(interval: Interval) -> str:
    """A difference with its interval."""
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--model", default="default")
    parser.add_argument("--sets", nargs="+", choices=list(ALL_SETS), default=list(ALL_SETS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pipeline = SearchPipeline(open_store(options.store), load_encoder("default"), LoadedModels(options.model))
    columns = ("vector", "without the cross-encoder", "cross-encoder alone", "served")
    print("| set | queries | " + " | ".join(columns) + " | served - vector | served - first stage |")
    print("|---" * 8 + "|")
    found: dict[str, dict[str, list[float]]] = {}
    for name in options.sets:
        dataset = judged(options.data, name, options.queries)
        result = evaluate(pipeline, dataset, EvaluationOptions(index=name))
        orders = {
            "vector": measure(dataset, by_vector(pipeline, dataset, name))[MEASURE],
            "without the cross-encoder": result.per_query["first_stage"][MEASURE],
            "cross-encoder alone": result.per_query["cross_encoder"][MEASURE],
            "served": result.per_query["reranked"][MEASURE],
        }
        found[name] = {order: values.tolist() for order, values in orders.items()}
        cells = [f"{orders[column].mean():.4f}" for column in columns]
        against = [paired_difference(orders["served"], orders[other]) for other in columns[:2]]
        print(f"| {name} | {len(dataset.queries)} | " + " | ".join([*cells, *map(shown, against)]) + " |", flush=True)
    means = [float(np.mean([np.mean(values[column]) for values in found.values()])) for column in columns]
    differences = f"{means[3] - means[0]:+.4f} | {means[3] - means[1]:+.4f}"
    print("| **mean** | | " + " | ".join(f"{mean:.4f}" for mean in means) + f" | {differences} |")
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
