"""Index of 100,000 passages of about 128 tokens, reused by the next call."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.sample_models import corpus_texts
from rerank.core.document import Document, EncodedDocument, Passage
from rerank.core.errors import IndexNotFound
from rerank.core.protocols import Encoder, EncoderIdentity, IndexSpec, Store

NAME = "large"
_CENTRES = 1_000
_WORDS = 78
_BATCH = 5_000


def build(store: Store, encoder: Encoder, *, dataset: Path, passages: int) -> None:
    """Builds the index if it does not exist.

    Texts are cut from the dataset. Vectors are those of a thousand texts with random noise, like passages on a topic.
    """
    try:
        store.open(NAME)
    except IndexNotFound:
        pass
    else:
        return
    words = [word for text in corpus_texts(dataset, limit=5_000) for word in text.split()]
    rng = np.random.default_rng(2)
    centre_texts = [" ".join(words[i : i + _WORDS]) for i in rng.integers(0, len(words) - _WORDS, _CENTRES)]
    centres = encoder.encode_documents(centre_texts)
    index = store.create(NAME, IndexSpec(EncoderIdentity(encoder.name, encoder.fingerprint, encoder.dim)))
    for start in range(0, passages, _BATCH):
        count = min(_BATCH, passages - start)
        noise = rng.standard_normal((count, encoder.dim), dtype=np.float32) * (0.7 / encoder.dim**0.5)
        vectors = centres[rng.integers(0, _CENTRES, count)] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = []
        for row, offset in enumerate(rng.integers(0, len(words) - _WORDS, count).tolist()):
            text = " ".join(words[offset : offset + _WORDS])
            document = Document(str(start + row), text, "", {})
            passage = Passage(document.doc_id, 0, "", text, 0, len(text))
            batch.append(EncodedDocument(document, (passage,), vectors[row : row + 1], document.content_hash()))
        index.upsert(batch)
    index.refresh()
    index.optimize()
    store.publish(index)
