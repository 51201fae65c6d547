"""Input of all parts of the measurement: data, models and the environment of other products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.sample_models import corpus_texts, passages_of, random_cross_encoder

WORDS = 78
"""Number of words of a passage, which make about 128 tokens with the query."""


@dataclass(frozen=True)
class Context:
    """Input of a measurement.

    dataset: a BEIR folder. folder: output, reused by the next call. peers: Python of an environment with onnxruntime
    and infinity-emb; None to leave these products out. cross: cross-encoder with six layers and one label; None for one
    with an untrained head.
    """

    dataset: Path
    folder: Path
    rounds: int
    peers: Path | None
    cross: Path | None = None

    def cross_encoder(self) -> Path:
        """Returns the MiniLM-L6 cross-encoder for all products."""
        if self.cross is not None:
            return self.cross
        folder = self.folder / "cross"
        return folder if folder.exists() else random_cross_encoder(folder)

    @property
    def onnx_folder(self) -> Path:
        """Folder of the ONNX models."""
        return self.folder / ("onnx" if self.cross is None else f"onnx-{self.cross.name}")

    def passages(self, count: int, *, words: int = WORDS) -> list[str]:
        """Returns *count* different passages."""
        return passages_of(_texts(self.dataset), words=words, count=count)


@lru_cache(maxsize=1)
def _texts(dataset: Path) -> list[str]:
    return corpus_texts(dataset, limit=5_000)
