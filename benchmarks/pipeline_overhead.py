"""Time of a search without its models: fake encoder and reranker, embedded index of 100,000 passages.

    python -m benchmarks.pipeline_overhead [--passages 100000] [--searches 300] [--folder DIR]

Vectors are drawn around 2,000 centres, like sentences on topics, and each passage is a document of about 60 words. The
index is stored in --folder and reused by the next call. Prints percentiles of a search, and the fraction of the exact
nearest hundred that approximate search returns.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from rerank.core.cosine_scale import REFERENCE, CosineScale
from rerank.core.document import Document, EncodedDocument, Passage, Vectors
from rerank.core.errors import IndexNotFound
from rerank.core.pipeline import SearchPipeline
from rerank.core.protocols import Cancellation, EncoderIdentity, Index, IndexSpec, RerankScores, Store
from rerank.core.ranking import RankingModel
from rerank.core.search import SearchRequest
from rerank.core.setting_types import Mode
from rerank.index.opening import open_store

DIM = 384
CENTRES = 2_000
NAME = "overhead"


class _PreparedEncoder:
    """Encoder with precomputed vectors. The text of a query is the number of its vector."""

    name = "prepared"
    fingerprint = "prepared"
    dim = DIM
    max_tokens = 256

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    @property
    def cosine_scale(self) -> CosineScale:
        return REFERENCE

    def encode_queries(self, texts: Sequence[str], *, deadline: float | None = None) -> Vectors:
        return self._vectors[[int(text.split()[0]) for text in texts]]

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return self.encode_queries(texts)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        raise NotImplementedError("not used here")


class _LengthReranker:
    """Reranker that derives a logit from the length of a text."""

    name = "instant"
    fingerprint = "instant"
    max_tokens = 512

    def max_text_tokens(self, query: str) -> int:
        return self.max_tokens

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        raise NotImplementedError("not used here")

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        logits = np.array([len(text) % 17 - 8 for text in texts], dtype=np.float32)
        scored = np.ones(len(texts), dtype=np.bool_)
        return RerankScores(logits, scored, np.full(len(texts), 128, dtype=np.int32), ~scored)


class _OneModel:
    """RankingModels with one reranker."""

    def get(self, name: str | None) -> RankingModel:
        return RankingModel(_LengthReranker())


def random_vectors(count: int, *, seed: int) -> Vectors:
    """Returns vectors of unit length in clusters, float32 (count, 384)."""
    centres = np.random.default_rng(1).standard_normal((CENTRES, DIM), dtype=np.float32)
    rng = np.random.default_rng(seed)
    rows = centres[rng.integers(0, CENTRES, count)] + 0.7 * rng.standard_normal((count, DIM), dtype=np.float32)
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def build(store: Store, passages: int) -> Index:
    """Returns the index, built or from an earlier call."""
    try:
        return store.open(NAME)
    except IndexNotFound:
        pass
    vocabulary = np.array([f"word{i}" for i in range(20_000)])
    rng = np.random.default_rng(2)
    vectors = random_vectors(passages, seed=3)
    index = store.create(NAME, IndexSpec(EncoderIdentity("prepared", "prepared", DIM)))
    for start in range(0, passages, 5_000):
        batch = []
        for row in range(start, min(start + 5_000, passages)):
            text = " ".join(vocabulary[rng.zipf(1.3, 60) % 20_000])
            document = Document(str(row), text, f"title {row}", {"lang": "en" if row % 2 else "it", "year": row % 30})
            passage = Passage(document.doc_id, 0, document.title, text, 0, len(text))
            batch.append(EncodedDocument(document, (passage,), vectors[row : row + 1], document.content_hash()))
        index.upsert(batch)
    index.refresh()
    index.optimize()
    store.publish(index)
    return store.open(NAME)


def main() -> None:
    """Prints a line per mode, and the recall of approximate search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        store = open_store(str(options.folder or temporary))
        index = build(store, options.passages)
        queries = random_vectors(options.searches, seed=4)
        recalls = []
        for vector in queries[:100]:
            exact = {match.passage.doc_id for match in index.knn(vector, k=100, exact=True)}
            recalls.append(len(exact & {match.passage.doc_id for match in index.knn(vector, k=100)}) / len(exact))
        pipeline = SearchPipeline(store, _PreparedEncoder(queries), _OneModel())
        for mode in get_args(Mode):
            times_by_search: list[dict[str, float]] = []
            for number in range(options.searches):
                request = SearchRequest(NAME, f"{number} word{number % 50} word{number + 100}", mode=mode)
                times_by_search.append(dict(pipeline.search(request).took_ms))
            totals = [times["total"] for times in times_by_search]
            stages = {
                stage: float(np.median([times[stage] for times in times_by_search])) for stage in times_by_search[0]
            }
            p50, p95 = np.percentile(totals, [50, 95])
            print(f"{mode}: p50 {p50:.1f} ms, p95 {p95:.1f} ms; medians by stage {stages}")
        print(f"approximate search returned {np.mean(recalls):.4f} of the exact top 100 (100 queries)")


if __name__ == "__main__":
    main()
