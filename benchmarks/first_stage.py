"""Quality of approximate search on both stores, against exact search.

    python -m benchmarks.first_stage --data DIR --store STORE --opensearch URL [--queries 500] [--sets NAME ...]

First ingest each set into the embedded STORE: `rerank-cli ingest DIR/SET --index SET --store STORE`. The script ingests
the set into OpenSearch at URL with the same vectors. It prints nDCG@10 of vector search over all judged queries (at
most --queries, drawn with a fixed seed), exact and on each store, and the fraction of the exact nearest hundred that
each store returns. Text search is listed as well: it has no exact variant, and the stores' analysers differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
from numpy.typing import NDArray

from benchmarks.served_order import ALL_SETS, FOLDERS, MEASURE
from rerank.core.cosine_scale import REFERENCE, CosineScale
from rerank.core.document import Vectors
from rerank.core.evaluation import measure
from rerank.core.judgments import Dataset, load_dataset
from rerank.core.orders import ScoredDocument
from rerank.core.protocols import Encoder, Index, PassageMatch
from rerank.index.opening import open_store
from rerank.ingest.run import IngestOptions, ingest
from rerank.models.loading import load_encoder

DEPTH = 100
COLUMNS = ("exact", "embedded", "OpenSearch", "embedded, text", "OpenSearch, text")

Run = dict[str, list[ScoredDocument]]


class CachingEncoder:
    """Encoder that encodes a document only if its vector is unknown."""

    def __init__(self, encoder: Encoder, known: dict[str, NDArray[np.float32]]) -> None:
        self._encoder = encoder
        self._known = known
        self.name, self.fingerprint = encoder.name, encoder.fingerprint
        self.dim, self.max_tokens = encoder.dim, encoder.max_tokens

    @property
    def cosine_scale(self) -> CosineScale:
        return REFERENCE

    def encode_queries(self, texts: Sequence[str], *, deadline: float | None = None) -> Vectors:
        return self._encoder.encode_queries(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in texts if text not in self._known]
        self._known.update(zip(new, self._encoder.encode_documents(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        return self._encoder.token_spans(texts)


def vectors_of(store: Path, index: Any) -> dict[str, NDArray[np.float32]]:
    """Returns the vector of each text in an embedded index."""
    rows = lancedb.connect(store).open_table(index.table_name).to_arrow().select(["headed", "vector"])
    vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(rows.num_rows, -1)
    return {text.strip(): vector for text, vector in zip(rows["headed"].to_pylist(), vectors, strict=True)}


def run_entry(query_id: str, matches: Iterable[PassageMatch]) -> tuple[str, list[ScoredDocument]]:
    """Returns a query's entry of a run."""
    return query_id, [ScoredDocument(match.passage.doc_id, match.score) for match in matches]


def nearest(index: Index, dataset: Dataset, vectors: Vectors, *, exact: bool = False) -> Run:
    """Returns the nearest hundred documents of each query."""
    pairs = zip(dataset.queries, vectors, strict=True)
    return dict(run_entry(query.query_id, index.knn(vector, k=DEPTH, exact=exact)) for query, vector in pairs)


def text_search(index: Index, dataset: Dataset) -> Run:
    """Returns the best hundred documents of each query by text search."""
    return dict(run_entry(query.query_id, index.match(query.text, k=DEPTH)) for query in dataset.queries)


def recall(run: Run, exact: Run) -> float:
    """Returns the fraction of the documents of *exact* that are in *run*."""
    both = [len({hit.doc_id for hit in run[query]} & {hit.doc_id for hit in exact[query]}) for query in exact]
    return sum(both) / sum(map(len, exact.values()))


def table_row(name: str, embedded: Index, opensearch: Index, dataset: Dataset, encoder: Encoder) -> str:
    """Returns the table's row for one set."""
    vectors = encoder.encode_queries([query.text for query in dataset.queries])
    exact = nearest(embedded, dataset, vectors, exact=True)
    near = [nearest(index, dataset, vectors) for index in (embedded, opensearch)]
    runs = [exact, *near, *(text_search(index, dataset) for index in (embedded, opensearch))]
    values = [measure(dataset, run)[MEASURE].mean() for run in runs]
    cells = [name, f"{embedded.info().passages:,}", str(len(dataset.queries)), *(f"{value:.4f}" for value in values)]
    cells += [f"{recall(run, exact):.4f}" for run in near]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Prints the table, set by set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--opensearch", required=True)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--sets", nargs="+", choices=list(ALL_SETS), default=list(ALL_SETS))
    options = parser.parse_args()
    embedded_store, opensearch_store = open_store(str(options.store)), open_store(options.opensearch)
    encoder = load_encoder("default")
    print("| set | passages | queries | " + " | ".join(COLUMNS) + " | embedded recall | OpenSearch recall |")
    print("|---" * (len(COLUMNS) + 5) + "|")
    for name in options.sets:
        folder, embedded = options.data / FOLDERS.get(name, name), embedded_store.open(name)
        caching = CachingEncoder(encoder, vectors_of(options.store, embedded))
        ingest([str(folder)], store=opensearch_store, encoder=caching, name=name, options=IngestOptions(restart=True))
        dataset = load_dataset(folder, ALL_SETS[name]).sampled(options.queries)
        print(table_row(name, embedded, opensearch_store.open(name), dataset, encoder), flush=True)


if __name__ == "__main__":
    main()
