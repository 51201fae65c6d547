"""Evaluate encoders by their vectors: nDCG@10, R@10 and R@100 of every set.

    python -m recipes.encoder.evaluate --data DIR --output DIR [--queries 60] [--documents 1500] MODEL ...

--queries and --documents take a random part of each set, for a quicker look. 0 means all. Values of each query and
finished sets are kept in the output, so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recipes.encoder.evaluation_sets import EvaluationSet, sets
from recipes.encoder.vectors import VectorEncoder, load

METRICS = ("ndcg10", "r10", "r100")
Values = dict[str, dict[str, float]]


def measured(ranked: Sequence[str], grades: Mapping[str, int]) -> dict[str, float]:
    """Returns the metrics of one query's ranking."""
    gains = [grades.get(doc, 0) for doc in ranked[:10]]
    ideal = sorted(grades.values(), reverse=True)[:10]
    found = {depth: sum(doc in grades for doc in ranked[:depth]) / len(grades) for depth in (10, 100)}
    return {"ndcg10": _discounted(gains) / _discounted(ideal), "r10": found[10], "r100": found[100]}


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


def evaluated(encoder: VectorEncoder, data: EvaluationSet) -> Values:
    """Returns the metrics of each query."""
    ids = list(data.passages)
    passages = encoder.encode_documents(list(data.passages.values()))
    queries = encoder.encode_queries([text for text, _ in data.queries.values()])
    values: Values = {}
    for (name, (_, grades)), vector in zip(data.queries.items(), queries, strict=True):
        best = np.argsort(-(passages @ vector), kind="stable")[:100]
        values[name] = measured([ids[place] for place in best], grades)
    return values


def mean(values: Values, metric: str) -> float:
    """Returns the mean of a metric over the queries."""
    return float(np.mean([row[metric] for row in values.values()]))


def main() -> None:
    """Evaluates each model on each set and prints one line a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--documents", type=int, default=1500)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--sets", nargs="*", help="Names of sets. By default all.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/rerank"))
    parser.add_argument("models", type=Path, nargs="+")
    args = parser.parse_args()
    readers = {name: read for name, read in sets(args.data).items() if not args.sets or name in args.sets}
    parts = {name: read().part(name, queries=args.queries, documents=args.documents) for name, read in readers.items()}
    for model in args.models:
        folder = args.output / f"{model.name}-{args.queries}-{args.documents}-{args.max_tokens}-{args.device}"
        folder.mkdir(parents=True, exist_ok=True)
        encoder = load(model, args.device, max_tokens=args.max_tokens, copy=folder / "model", cache=args.cache)
        for name, part in parts.items():
            path = folder / f"{name}.json"
            started = time.monotonic()
            if not path.exists():
                path.write_text(json.dumps(evaluated(encoder, part)))
            values: Values = json.loads(path.read_text())
            figures = "  ".join(f"{metric} {mean(values, metric):.4f}" for metric in METRICS)
            seconds = time.monotonic() - started
            sizes = f"{len(values)} queries {len(part.passages)} passages {seconds:.0f} s"
            print(f"{model.name:24} {name:14} {figures}  {sizes}", flush=True)


if __name__ == "__main__":
    main()
