"""Retrieval quality of two encoders by exact search: development sets in English, squad_it in Italian.

    python -m benchmarks.encoders --data DIR [--queries 200] [--sets NAME ...] ENCODER BASELINE

Prints nDCG@10 and R@100 of both, and their differences with 95% intervals. Passages start with their title and are cut
at the encoder's limit. Of scifact and squad_it, only held-out queries are used (`recipes.sources`), over the whole
corpus.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.development_sets import SETS, is_for_development
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
"""Folder and split of each set."""
RECALL_DEPTH = 100


def sample_queries(data: Path, name: str, queries: int) -> Dataset:
    """Returns a sample of the judged queries that no model is trained on."""
    folder, split = FOLDERS[name]
    dataset = load_dataset(data / folder, split)
    held_out = tuple(query for query in dataset.queries if is_for_development(name, query, data))
    return replace(dataset, queries=held_out).sampled(queries)


def evaluate_encoder(encoder: Encoder, dataset: Dataset, corpus: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Returns nDCG@10, RR@10 and R@100 of each query, by name."""
    ids = list(corpus)
    vectors = encoder.encode_documents(list(corpus.values()))  # (documents, dim)
    queries = encoder.encode_queries([query.text for query in dataset.queries])
    run = {}
    for query, vector in zip(dataset.queries, queries, strict=True):
        cosines = vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:RECALL_DEPTH].tolist()
        run[query.query_id] = [ScoredDocument(ids[row], float(cosines[row])) for row in best]
    return measure(dataset, run)


def table_row(name: str, dataset: Dataset, values: Sequence[Mapping[str, NDArray[np.float64]]]) -> str:
    """Returns a line of the table."""
    cells = []
    for metric in ("nDCG@10", "R@100"):
        new, old = (value[metric] for value in values)
        difference = paired_difference(new, old)
        cells += [f"{new.mean():.4f}", f"{old.mean():.4f}"]
        cells.append(f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]")
    return f"| {name} | {len(dataset.queries)} | " + " | ".join(cells) + " |"


def main() -> None:
    """Prints the table, set by set."""
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
        dataset = sample_queries(options.data, name, options.queries)
        corpus = {
            str(line["_id"]): with_title(str(line.get("title") or ""), str(line["text"]))
            for line in read_lines(options.data / FOLDERS[name][0] / "corpus.jsonl.gz")
        }
        print(
            table_row(name, dataset, [evaluate_encoder(encoder, dataset, corpus) for encoder in encoders]), flush=True
        )


if __name__ == "__main__":
    main()
