"""Time and memory of mining hard negatives without encoding, for 10,000 queries over 100,000 passages.

    python -m benchmarks.negative_mining [--passages 100000] [--queries 2000] [--mode hybrid] [--store FOLDER]

Passages have random words with the frequencies of a language, and vectors around the centre of one of 500 topics, so
that searches take as long as with real ones. The encoder returns immediately. The index is built once and reused.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rerank.core.cosine_scale import REFERENCE, CosineScale
from rerank.core.document import Document, EncodedDocument, Passage, Vectors
from rerank.core.errors import IndexNotFound
from rerank.core.protocols import EncoderIdentity, Index, IndexSpec, Store
from rerank.core.setting_types import Mode
from rerank.index.opening import open_store
from rerank.models.training.data.mining import MiningOptions, NegativeMiner, retrieval
from rerank.models.training.data.ranking_lists import LabelledQuery, TrainingData
from rerank.models.training.data.resumable_json_lines import ResumableJsonLines

DIM = 384
TOPICS = 500
VOCABULARY = 30_000
WORDS = 60
TARGET = 10_000
_BATCH = 2000


class RandomEncoder:
    """Encoder with random vectors around the centre of the topic in a text's first word."""

    name = "random"
    fingerprint = "0" * 32
    dim = DIM
    max_tokens = 512

    def __init__(self) -> None:
        self._centres = np.random.default_rng(0).standard_normal((TOPICS, DIM), dtype=np.float32)
        self._noise = np.random.default_rng(1).standard_normal((4096, DIM), dtype=np.float32)

    @property
    def cosine_scale(self) -> CosineScale:
        return REFERENCE

    def encode_queries(self, texts: Sequence[str], *, deadline: float | None = None) -> Vectors:
        """See Encoder."""
        return self.encode_documents(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """See Encoder."""
        vectors = np.zeros((len(texts), DIM), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            key = hash(text)
            row += self._centres[int(text[1 : text.index(" ")]) % TOPICS] + self._noise[key % 4096]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Not used here."""
        raise NotImplementedError


def main() -> None:
    """Prints the time of a sample, the time of all queries at its rate, and the peak memory."""
    arguments = _arguments()
    encoder = RandomEncoder()
    store = open_store(str(arguments.store))
    index = _index(store, arguments.passages, encoder)
    draw = np.random.default_rng(3)
    numbers = draw.integers(0, arguments.passages, arguments.queries).tolist()
    texts = dict.fromkeys(map(_text, numbers))
    labelled = tuple(LabelledQuery(_query(text, draw), {text: 1.0}) for text in texts)
    before = _peak_megabytes()
    with tempfile.TemporaryDirectory() as folder:
        options = MiningOptions(mode=arguments.mode)
        started = time.perf_counter()
        lines = ResumableJsonLines(Path(folder) / "negatives.jsonl", options.parameters())
        with retrieval(index, options) as retrieve:
            NegativeMiner(retrieve, encoder, options).mine(TrainingData(labelled=labelled), lines)
        seconds = time.perf_counter() - started
    print(
        f"{arguments.mode}: {len(labelled)} queries over {index.info().passages:,} passages in {seconds:.1f} s"
        f" without encoding, {1000 * seconds / len(labelled):.1f} ms per query; {TARGET:,} at this rate:"
        f" {seconds / len(labelled) * TARGET / 60:.1f} min; peak memory"
        f" {_peak_megabytes():.0f} MB, {before:.0f} MB before mining"
    )


def _index(store: Store, passages: int, encoder: RandomEncoder) -> Index:
    name = f"random-{passages}"
    try:
        return store.open(name)
    except IndexNotFound:
        created = store.create(name, IndexSpec(EncoderIdentity(encoder.name, encoder.fingerprint, encoder.dim)))
    for start in range(0, passages, _BATCH):
        texts = [_text(number) for number in range(start, min(start + _BATCH, passages))]
        vectors = encoder.encode_documents(texts)
        created.upsert([_encoded(start + row, text, vectors[row : row + 1]) for row, text in enumerate(texts)])
    created.refresh()
    created.optimize()
    store.publish(created)
    return store.open(name)


def _encoded(number: int, text: str, vectors: Vectors) -> EncodedDocument:
    document = Document(f"d{number}", text)
    passage = Passage(document.doc_id, 0, "", text, 0, len(text))
    return EncodedDocument(document, (passage,), vectors, document.content_hash())


def _text(number: int) -> str:
    draw = np.random.default_rng([2, number])
    words = np.minimum(draw.zipf(1.2, WORDS), VOCABULARY)
    return f"t{draw.integers(TOPICS)} {' '.join(f'w{word}' for word in words)}"


def _query(text: str, draw: np.random.Generator) -> str:
    """Returns the topic and eight words of *text*."""
    topic, *words = text.split()
    return " ".join([topic, *draw.permutation(words)[:8]])


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2000)
    modes: tuple[Mode, ...] = ("vector", "text", "hybrid")
    parser.add_argument("--mode", choices=modes, default="hybrid")
    parser.add_argument("--store", type=Path, default=Path(tempfile.gettempdir()) / "negative-mining")
    return parser.parse_args()


if __name__ == "__main__":
    main()
