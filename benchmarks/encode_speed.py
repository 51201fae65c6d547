"""Speed of encoding relative to SentenceTransformer.encode with its defaults and the same model.

python -m benchmarks.encode_speed [--dataset FOLDER] [--limit 500] [--threads 2] [--rounds 5]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

from benchmarks.interleaved import compare
from benchmarks.sample_models import corpus_texts
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.encoder import BiEncoder
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE


def main() -> None:
    """Prints a line per precision."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    folder = resolve(DEFAULT, role="encoder")
    theirs = SentenceTransformer(str(folder.path), device="cpu")
    texts = corpus_texts(arguments.dataset, limit=arguments.limit)
    expected = theirs.encode(texts, normalize_embeddings=True)
    for name, ours in (
        ("auto", BiEncoder.from_folder(folder)),
        ("float32", BiEncoder.from_folder(folder, runtime=TORCH_REFERENCE)),
    ):
        error = 1 - float((ours.encode_documents(texts) * expected).sum(axis=1).min())
        ratio = compare(lambda: ours.encode_documents(texts), lambda: theirs.encode(texts), rounds=arguments.rounds)  # noqa: B023
        print(f"{name:12} {len(texts)} texts: {ratio}; largest cosine distance {error:.1e}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=Path("../shared/data/scifact"), help="a BEIR folder")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
