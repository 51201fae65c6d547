"""Encode the examples' texts with a teacher. An interrupted run resumes at its last shard.

    python -m recipes.encoder.vectors --examples examples.jsonl.gz --model FOLDER --output DIR [--english]

The device `cpu` runs the model in int8, any other device in torch.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.encoder.pool import Kind, Pool
from recipes.encoder.student import Student

SHARD = 1024
"""Texts of a file: at most a few minutes of work."""


def limited(model: Path, folder: Path, *, max_tokens: int) -> Path:
    """Returns a folder with the same model that cuts texts at *max_tokens*."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("rerank.json"))
    content = {"max_seq_length": max_tokens, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(content) + "\n")
    return folder


class VectorEncoder(Protocol):
    """A model that encodes queries and passages."""

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns one row a text."""

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns one row a text."""


class TorchEncoder:
    """An encoder folder on a torch device, in bfloat16."""

    def __init__(self, folder: Path, device: str, *, max_tokens: int) -> None:
        self._model = Student(folder).to(device).eval()
        self._max_tokens = max_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns one row a text."""
        return self._encode(texts, "query")

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns one row a text."""
        return self._encode(texts, "passage")

    def _encode(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        rows = self._model.ids(texts, kind=kind, max_tokens=self._max_tokens)
        with torch.inference_mode():
            return np.asarray(self._model(rows).cpu().numpy(), dtype=np.float32)


def load(model: Path, device: str, *, max_tokens: int, copy: Path, cache: Path) -> VectorEncoder:
    """Returns the encoder on a device. *copy* and *cache*: folders for what the processor needs."""
    if device != "cpu":
        return TorchEncoder(model, device, max_tokens=max_tokens)
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.loading import load_encoder

    compute = ComputeOptions(runtime="openvino", precision="int8", cache_dir=cache)
    return load_encoder(str(limited(model, copy, max_tokens=max_tokens)), compute=compute)


def encode_shards(
    encode: Callable[[Sequence[str]], NDArray[np.float32]], texts: Sequence[str], folder: Path, name: str
) -> None:
    """Writes the missing shards of *texts*."""
    started, done = time.monotonic(), 0
    for start in range(0, len(texts), SHARD):
        path = folder / f"{name}-{start // SHARD:05d}.npy"
        if path.exists():
            continue
        vectors = encode(texts[start : start + SHARD]).astype(np.float16)
        part = path.with_suffix(".part")
        with part.open("wb") as out:
            np.save(out, vectors)
        part.replace(path)
        done += len(vectors)
        rate = done / (time.monotonic() - started)
        print(f"{name} {start + len(vectors)} of {len(texts)} texts, {rate:.1f} texts/s", flush=True)


def read_vectors(folder: Path, kind: Kind, pool: Pool) -> NDArray[np.float32]:
    """Returns one row a text of the pool; rows that the teacher did not encode are NaN."""
    english = json.loads((folder / "about.json").read_text())["english"]
    numbers, texts = pool.texts(kind, english=english)
    shards = [np.load(folder / f"{kind}-{n:05d}.npy") for n in range((len(texts) + SHARD - 1) // SHARD)]
    found = np.concatenate(shards).astype(np.float32)
    known = len(pool.queries if kind == "query" else pool.passages)
    vectors = np.full((known, found.shape[1]), np.nan, dtype=np.float32)
    vectors[numbers] = found
    return vectors


def main() -> None:
    """Encodes passages, then queries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--english", action="store_true", help="Encodes English texts only.")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/rerank"))
    args = parser.parse_args()
    pool = Pool.read(args.examples)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "about.json").write_text(json.dumps({"english": args.english}) + "\n")
    encoder = load(args.model, args.device, max_tokens=args.max_tokens, copy=args.output / "model", cache=args.cache)
    encode_shards(encoder.encode_queries, pool.texts("query", english=args.english)[1], args.output, "query")
    encode_shards(encoder.encode_documents, pool.texts("passage", english=args.english)[1], args.output, "passage")


if __name__ == "__main__":
    main()
