"""What every part of the measurement needs: where its data, its models and the others' programs are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.sample_models import corpus_texts, passages_of, random_cross_encoder

WORDS = 78
"""Of a passage, so that with the query a pair has about 128 tokens."""


@dataclass(frozen=True)
class Place:
    """dataset: a BEIR folder. folder: for what is made here, kept for a next call. peers: the Python of an environment
    with onnxruntime and infinity-emb, None: without them.
    cross: an ordinary cross-encoder of six layers and one label, None: one with an untrained head."""

    dataset: Path
    folder: Path
    rounds: int
    peers: Path | None
    cross: Path | None = None

    def cross_encoder(self) -> Path:
        """The MiniLM-L6 cross-encoder that all read with."""
        if self.cross is not None:
            return self.cross
        folder = self.folder / "cross"
        return folder if folder.exists() else random_cross_encoder(folder)

    @property
    def onnx_folder(self) -> Path:
        """For what ONNX Runtime makes of the cross-encoder."""
        return self.folder / ("onnx" if self.cross is None else f"onnx-{self.cross.name}")

    def passages(self, count: int, *, words: int = WORDS) -> list[str]:
        """*count* passages, all different."""
        return passages_of(_texts(self.dataset), words=words, count=count)


@lru_cache(maxsize=1)
def _texts(dataset: Path) -> list[str]:
    return corpus_texts(dataset, limit=5_000)
