"""What every part of the measurement needs: where its data, its models and the others' programs are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from transformers import AutoModelForSequenceClassification

from benchmarks.sample_models import corpus_texts, passages_of, random_cross_encoder
from rerank.models.architectures.joint import JointReranker
from rerank.models.catalog import DEFAULT, resolve

WORDS = 78
"""Of a passage, so that with the query a pair has about 128 tokens."""
FAST_LAYERS = 2


@dataclass(frozen=True)
class Place:
    """dataset: a BEIR folder. folder: for what is made here, kept for a next call. peers: the Python of an environment
    with onnxruntime and infinity-emb, None: without them. fast: a distilled reranker for the quality of the cascade.
    cross: an ordinary cross-encoder of six layers and one label, None: one with an untrained head."""

    dataset: Path
    folder: Path
    rounds: int
    peers: Path | None
    fast: Path | None
    cross: Path | None = None

    def cross_encoder(self) -> Path:
        """The MiniLM-L6 cross-encoder that all read with."""
        if self.cross is not None:
            return self.cross
        folder = self.folder / "cross"
        return folder if folder.exists() else random_cross_encoder(folder)

    def fast_cross_encoder(self) -> Path:
        """Its first layers: as fast as what a distillation makes."""
        folder = self.folder / ("fast" if self.cross is None else f"fast-{self.cross.name}")
        if not folder.exists():
            model = AutoModelForSequenceClassification.from_pretrained(
                str(self.cross_encoder()), num_hidden_layers=FAST_LAYERS
            )
            model.save_pretrained(str(folder))
            for file in self.cross_encoder().glob("*token*"):
                (folder / file.name).write_bytes(file.read_bytes())
        return folder

    @property
    def onnx_folder(self) -> Path:
        """For what ONNX Runtime makes of the cross-encoder."""
        return self.folder / ("onnx" if self.cross is None else f"onnx-{self.cross.name}")

    def fast_reranker(self) -> Path:
        """The distilled one, or else the built-in one's first layers, which were not trained for it: a floor."""
        folder = self.fast or self.folder / "first-layers"
        if not folder.exists():
            source = resolve(DEFAULT, role="reranker").path
            model = JointReranker.from_folder(source)
            model.bert.encoder.layer = model.bert.encoder.layer[: model.apart_layers + 1]
            model.config.num_hidden_layers = model.apart_layers + 1
            model.save(folder, tokenizer_from=source)
        return folder

    def passages(self, count: int, *, words: int = WORDS) -> list[str]:
        """*count* passages, all different."""
        return passages_of(_texts(self.dataset), words=words, count=count)


@lru_cache(maxsize=1)
def _texts(dataset: Path) -> list[str]:
    return corpus_texts(dataset, limit=5_000)
