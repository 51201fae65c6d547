"""How well encoders find, by comparing every vector: development sets in English, squad_it in Italian.

    python -m benchmarks.encoders --data DIR [--queries 200] [--sets NAME ...] ENCODER BASELINE

nDCG@10 and R@100 of both, and the first minus the second with 95% intervals. Passages start with their
title, as far as the encoder reads; of scifact and squad_it only what training_sources holds out is asked, over the
whole corpus.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.development_sets import SETS, develops
from recipes.sources import read_lines, with_title
from rerank.core.evaluation import measure
from rerank.core.intervals import paired_difference
from rerank.core.judgments import Dataset, load_dataset
from rerank.core.orders import ScoredDocument
from rerank.core.protocols import Encoder
from rerank.models.loading import load_encoder

FOLDERS: Mapping[str, tuple[str, str | None]] = {
    **{name: (name, split) for name, split in SETS.items()},
    "climate_fever": ("climate_fever", None),
    "xquad_en": ("squad_pieces/xquad_en", None),
}
"""Each set's folder and split."""
RECALL_DEPTH = 100


def asked(data: Path, name: str, queries: int) -> Dataset:
    """A sample of the judged queries that no model learns from."""
    folder, split = FOLDERS[name]
    whole = load_dataset(data / folder, split)
    return replace(whole, queries=tuple(q for q in whole.queries if develops(name, q, data))).sampled(queries)


def found(encoder: Encoder, dataset: Dataset, corpus: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """nDCG@10, RR@10 and R@100 of each query, by name."""
    ids = list(corpus)
    vectors = encoder.encode_documents(list(corpus.values()))  # (documents, dim)
    queries = encoder.encode_queries([query.text for query in dataset.queries])
    run = {}
    for query, vector in zip(dataset.queries, queries, strict=True):
        cosines = vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:RECALL_DEPTH].tolist()
        run[query.query_id] = [ScoredDocument(ids[place], float(cosines[place])) for place in best]
    return measure(dataset, run)


def row(name: str, dataset: Dataset, values: Sequence[Mapping[str, NDArray[np.float64]]]) -> str:
    """A line of the table."""
    cells = []
    for metric in ("nDCG@10", "R@100"):
        new, old = (value[metric] for value in values)
        difference = paired_difference(new, old)
        cells += [f"{new.mean():.4f}", f"{old.mean():.4f}"]
        cells.append(f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]")
    return f"| {name} | {len(dataset.queries)} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table, set by set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--sets", nargs="+", choices=list(FOLDERS), default=list(FOLDERS))
    parser.add_argument("encoder")
    parser.add_argument("baseline")
    options = parser.parse_args()
    encoders = [load_encoder(name) for name in (options.encoder, options.baseline)]
    print("| set | queries | nDCG@10 | baseline | difference | R@100 | baseline | difference |")
    print("|---" * 8 + "|")
    for name in options.sets:
        dataset = asked(options.data, name, options.queries)
        corpus = {
            str(line["_id"]): with_title(str(line.get("title") or ""), str(line["text"]))
            for line in read_lines(options.data / FOLDERS[name][0] / "corpus.jsonl.gz")
        }
        print(row(name, dataset, [found(encoder, dataset, corpus) for encoder in encoders]), flush=True)


if __name__ == "__main__":
    main()
