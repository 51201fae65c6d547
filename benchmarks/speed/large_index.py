"""An index of 100,000 passages of about 128 tokens, in a folder that is used again."""

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
    """Make the index unless it is there.

    Texts are stretches of the dataset's; vectors are real ones of a thousand of them, each with noise of its own, as
    passages on a topic lie around it.
    """
    try:
        store.open(NAME)
    except IndexNotFound:
        pass
    else:
        return
    words = [word for text in corpus_texts(dataset, limit=5_000) for word in text.split()]
    rng = np.random.default_rng(2)
    heads = [" ".join(words[i : i + _WORDS]) for i in rng.integers(0, len(words) - _WORDS, _CENTRES)]
    centres = encoder.encode_documents(heads)
    index = store.create(NAME, IndexSpec(EncoderIdentity(encoder.name, encoder.fingerprint, encoder.dim)))
    for start in range(0, passages, _BATCH):
        count = min(_BATCH, passages - start)
        noise = rng.standard_normal((count, encoder.dim), dtype=np.float32) * (0.7 / encoder.dim**0.5)
        vectors = centres[rng.integers(0, _CENTRES, count)] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = []
        for row, place in enumerate(rng.integers(0, len(words) - _WORDS, count).tolist()):
            text = " ".join(words[place : place + _WORDS])
            document = Document(str(start + row), text, "", {})
            passage = Passage(document.doc_id, 0, "", text, 0, len(text))
            batch.append(EncodedDocument(document, (passage,), vectors[row : row + 1], document.content_hash()))
        index.upsert(batch)
    index.refresh()
    index.optimize()
    store.publish(index)
