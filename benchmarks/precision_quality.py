"""nDCG@10 of each precision minus that of float32, on the same candidates, for reranker and encoder.

    python -m benchmarks.precision_quality --data DIR [--sets scifact squad_it] [--queries 100] [--reranker NAME]

Candidates are the 50 nearest documents by the float32 encoder, among at most 2,000 that include all relevant ones. The
reranker ranks them without the first-stage score. The encoder's ranking is compared in the same way.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rerank.core.intervals import paired_difference
from rerank.core.judgments import Dataset, load_dataset
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.compute_options import ComputeOptions
from rerank.models.encoder import BiEncoder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtimes.choice import Backend, open_runtime

DEPTH = 50
DOCUMENTS = 2000
BACKENDS = [Backend("openvino", precision) for precision in ("float32", "bfloat16", "int8")]


def documents(folder: Path, dataset: Dataset) -> dict[str, str]:
    """Returns the relevant documents of *dataset* and the first other ones, by id."""
    needed = {doc_id for query in dataset.queries for doc_id in query.relevance}
    texts: dict[str, str] = {}
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    for record in sorted(records, key=lambda record: str(record["_id"]) not in needed):
        texts[str(record["_id"])] = f"{record.get('title', '')} {record['text']}".strip()
        if len(texts) == max(DOCUMENTS, len(needed)):
            break
    return texts


def ndcg(order: list[str], relevant: dict[str, int]) -> float:
    """Returns nDCG@10 of ranked document ids (Järvelin and Kekäläinen, 2002; linear gains)."""

    def gain(grades: list[int]) -> float:
        return sum(grade / math.log2(position + 2) for position, grade in enumerate(grades[:10]))

    ideal = gain(sorted(relevant.values(), reverse=True))
    return gain([relevant.get(doc_id, 0) for doc_id in order]) / ideal if ideal else 0.0


def main() -> None:
    """Prints a line per set, model and precision."""
    arguments = _arguments()
    for name in arguments.sets:
        folder = arguments.data / name
        dataset = load_dataset(folder, arguments.split.get(name)).sampled(arguments.queries)
        _measure(name, dataset, documents(folder, dataset), arguments.reranker)


def _measure(name: str, dataset: Dataset, texts: dict[str, str], reranker: str) -> None:
    ids, queries = list(texts), [query.text for query in dataset.queries]
    relevant = [dict(query.relevance) for query in dataset.queries]
    cosines = []
    for backend in BACKENDS:
        encoder = BiEncoder.from_folder(
            resolve(DEFAULT, role="encoder"), runtime=open_runtime(backend, ComputeOptions())
        )
        cosines.append(encoder.encode_queries(queries) @ encoder.encode_documents(list(texts.values())).T)
    orders = [[[ids[i] for i in np.argsort(-row)[:DEPTH]] for row in each] for each in cosines]
    _lines(name, "encoder", [_values(each, relevant) for each in orders])
    candidates = orders[0]
    reranker_values = []
    for backend in BACKENDS:
        model = CrossEncoderReranker.from_folder(
            resolve(reranker, role="reranker"), runtime=open_runtime(backend, ComputeOptions())
        )
        ranked = []
        for query, top in zip(queries, candidates, strict=True):
            logits = model.score(query, [texts[doc_id] for doc_id in top]).logits
            ranked.append([top[i] for i in np.argsort(-logits, kind="stable")])
        reranker_values.append(_values(ranked, relevant))
    _lines(name, "reranker", reranker_values)


def _values(orders: list[list[str]], relevant: list[dict[str, int]]) -> NDArray[np.float64]:
    return np.array([ndcg(order, grades) for order, grades in zip(orders, relevant, strict=True)])


def _lines(name: str, model: str, values: list[NDArray[np.float64]]) -> None:
    for backend, each in zip(BACKENDS, values, strict=True):
        interval = paired_difference(each, values[0])
        print(
            f"{name:12} {model:9} {backend.precision:9} nDCG@10 {each.mean():.4f}, against float32 {interval.mean:+.4f}"
            f" [{interval.low:+.4f}, {interval.high:+.4f}] over {len(each)} queries",
            flush=True,
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the sets, BEIR layout")
    parser.add_argument("--sets", nargs="+", default=["scifact", "squad_it"])
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--reranker", default=DEFAULT)
    parser.set_defaults(split={"scifact": "train", "squad_it": "dev"})
    return parser.parse_args()


if __name__ == "__main__":
    main()
