"""Mining hard negatives: seconds and memory beyond encoding, for 10,000 queries over 100,000 passages.

python -m benchmarks.negative_mining [--passages 100000] [--queries 2000] [--mode hybrid] [--store FOLDER]

The passages are of words drawn as often as words of a language are, the vectors lie around a centre for each of 500
topics: what an index does with them takes as long as with real ones. An encoder that answers at once stands in, so that
what is measured is everything but encoding. The index is built once in the store and used again.
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

from rerank.core.document import Document, EncodedDocument, Passage, Vectors
from rerank.core.errors import IndexNotFound
from rerank.core.protocols import EncoderIdentity, Index, IndexSpec, Store
from rerank.core.settings import Mode
from rerank.index.opening import open_store
from rerank.models.training.data.mining import MiningOptions, NegativeMiner
from rerank.models.training.data.ranking_lists import LabelledQuery, TrainingData
from rerank.models.training.data.resumable_json_lines import ResumableJsonLines

DIM = 384
TOPICS = 500
VOCABULARY = 30_000
WORDS = 60
TARGET = 10_000
_WRITTEN_AT_ONCE = 2000


class DrawnEncoder:
    """An Encoder whose vectors lie around the centre that a text's first word names."""

    name = "drawn"
    fingerprint = "0" * 32
    dim = DIM
    max_tokens = 512

    def __init__(self) -> None:
        self._centres = np.random.default_rng(0).standard_normal((TOPICS, DIM), dtype=np.float32)
        self._noise = np.random.default_rng(1).standard_normal((4096, DIM), dtype=np.float32)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """As Encoder has it."""
        return self.encode_documents(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """As Encoder has it."""
        vectors = np.zeros((len(texts), DIM), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            key = hash(text)
            row += self._centres[int(text[1 : text.index(" ")]) % TOPICS] + self._noise[key % 4096]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Never asked for here."""
        raise NotImplementedError


def main() -> None:
    """Print the seconds of a sample, of all queries by its rate, and the peak of memory."""
    arguments = _arguments()
    encoder = DrawnEncoder()
    store = open_store(str(arguments.store))
    index = _index(store, arguments.passages, encoder)
    draw = np.random.default_rng(3)
    numbers = draw.integers(0, arguments.passages, arguments.queries).tolist()
    texts = dict.fromkeys(map(_text, numbers))
    judged = tuple(LabelledQuery(_query(text, draw), {text: 1.0}) for text in texts)
    before = _peak()
    with tempfile.TemporaryDirectory() as folder:
        options = MiningOptions(mode=arguments.mode)
        started = time.perf_counter()
        NegativeMiner(index, encoder, options).mine(
            TrainingData(labelled=judged), ResumableJsonLines(Path(folder) / "negatives.jsonl", options.parameters())
        )
        seconds = time.perf_counter() - started
    print(
        f"{arguments.mode}: {len(judged)} queries over {index.info().passages:,} passages in {seconds:.1f} s"
        f" beyond encoding, {1000 * seconds / len(judged):.1f} ms a query; {TARGET:,} at this rate:"
        f" {seconds / len(judged) * TARGET / 60:.1f} min; peak of memory"
        f" {_peak():.0f} MB, {before:.0f} MB before mining"
    )


def _index(store: Store, passages: int, encoder: DrawnEncoder) -> Index:
    name = f"drawn-{passages}"
    try:
        return store.open(name)
    except IndexNotFound:
        made = store.create(name, IndexSpec(EncoderIdentity(encoder.name, encoder.fingerprint, encoder.dim)))
    for start in range(0, passages, _WRITTEN_AT_ONCE):
        texts = [_text(number) for number in range(start, min(start + _WRITTEN_AT_ONCE, passages))]
        vectors = encoder.encode_documents(texts)
        made.upsert([_encoded(start + at, text, vectors[at : at + 1]) for at, text in enumerate(texts)])
    made.refresh()
    made.optimize()
    store.publish(made)
    return store.open(name)


def _encoded(number: int, text: str, vectors: Vectors) -> EncodedDocument:
    document = Document(f"d{number}", text)
    passage = Passage(document.doc_id, 0, "", text, 0, len(text))
    return EncodedDocument(document, (passage,), vectors, document.content_hash())


def _text(number: int) -> str:
    draw = np.random.default_rng([2, number])
    drawn = np.minimum(draw.zipf(1.2, WORDS), VOCABULARY)
    return f"t{draw.integers(TOPICS)} {' '.join(f'w{word}' for word in drawn)}"


def _query(text: str, draw: np.random.Generator) -> str:
    """The topic and eight of the words."""
    topic, *words = text.split()
    return " ".join([topic, *draw.permutation(words)[:8]])


def _peak() -> float:
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
