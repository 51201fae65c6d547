"""Speed of reranking relative to CrossEncoder.predict of sentence-transformers with the same model.

python -m benchmarks.rerank_speed [--dataset FOLDER] [--threads 2] [--rounds 7]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from benchmarks.interleaved import compare
from benchmarks.sample_models import QUERY, corpus_texts, passages_of, random_cross_encoder, untrained_joint
from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE

PASSAGES = 100
WORDS = {64: 36, 128: 78, 256: 164}
"""Number of words of a passage, by the approximate number of tokens of its pair with the query."""


def main() -> None:
    """Prints a line per length and model."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = random_cross_encoder(Path(temporary) / "cross")
        theirs = CrossEncoder(str(folder), device="cpu")
        ours = {
            "cross-encoder": CrossEncoderReranker.from_folder(ModelFolder.read(folder)),
            "cross-encoder, float32": CrossEncoderReranker.from_folder(
                ModelFolder.read(folder), runtime=TORCH_REFERENCE
            ),
            "joint": CrossEncoderReranker.from_folder(ModelFolder.read(untrained_joint(Path(temporary) / "joint"))),
        }
        texts = corpus_texts(arguments.dataset, limit=500)
        for tokens in arguments.tokens:
            passages = passages_of(texts, words=WORDS[tokens], count=PASSAGES)
            pairs = [(QUERY, passage) for passage in passages]
            expected = theirs.predict(pairs, activation_fn=torch.nn.Identity())
            for name, reranker in ours.items():
                _line(name, reranker, theirs, passages, expected, arguments.rounds)


def _line(
    name: str,
    reranker: CrossEncoderReranker,
    theirs: CrossEncoder,
    passages: list[str],
    expected: np.ndarray[tuple[int], np.dtype[np.float32]],
    rounds: int,
) -> None:
    pairs = [(QUERY, passage) for passage in passages]
    scores = reranker.score(QUERY, passages)
    ratio = compare(
        lambda: reranker.score(QUERY, passages, deadline=time.monotonic() + 3600),
        lambda: theirs.predict(pairs),
        rounds=rounds,
    )
    agreement = np.corrcoef(scores.logits, expected)[0, 1]
    print(f"{name:24} {scores.tokens.mean():5.0f} tokens per pair: {ratio}; correlation {agreement:.4f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/scifact"), help="a BEIR folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, nargs="+", choices=list(WORDS), default=list(WORDS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
