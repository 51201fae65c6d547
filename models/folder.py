"""A model's folder: the Hugging Face layout, with rerank.json where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from rerank.core.errors import ModelInvalid, ModelNotFound
from rerank.models.fingerprint import fingerprint
from rerank.models.rerank_file import RERANK_FILE, Kind, RerankFile, read_object, read_rerank_file
from rerank.models.sentence_transformers_layout import SentenceTransformersLayout, read_sentence_transformers_layout

CONFIG_FILE = "config.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
DEFAULT_MAX_TOKENS = 512
"""Read at most by a model that does not say otherwise: passages are short, and attention grows with the square."""
_PAIR_LABELS = 2
_JOINT_CLASS = "JointReranker"

Architecture = Literal["bi-encoder", "cross-encoder", "joint"]


@dataclass(frozen=True)
class ModelFolder:
    """A folder that was read and is what it says it is. `config` is its config.json, `name` what a user calls it."""

    path: Path
    name: str
    config: Mapping[str, object]
    rerank: RerankFile
    layout: SentenceTransformersLayout

    @classmethod
    def read(cls, path: Path, *, name: str | None = None) -> Self:
        """Read the small files of *path*. Raises ModelNotFound when it is no folder, ModelInvalid with file and key."""
        if not path.is_dir():
            raise ModelNotFound(f"no model folder at {path}")
        rerank = read_rerank_file(path)
        layout = read_sentence_transformers_layout(path)
        file = layout.weights / CONFIG_FILE
        if not file.exists():
            raise ModelInvalid(f"{path} is not a model folder: it has no {CONFIG_FILE}")
        folder = cls(path, name or str(path), read_object(file), rerank, layout)
        folder.check()
        return folder

    def check(self) -> None:
        """Raise ModelInvalid for keys that contradict each other."""
        if self.rerank.architecture is not None and self.architecture != self.rerank.architecture:
            raise ModelInvalid(
                f"{self.path / RERANK_FILE}: architecture: {self.rerank.architecture!r} is not known;"
                " there are: bi-encoder, cross-encoder, joint"
            )
        if (self.kind == "encoder") != (self.architecture == "bi-encoder"):
            raise ModelInvalid(f"{self.path / RERANK_FILE}: kind {self.kind} cannot be a {self.architecture}")

    @property
    def kind(self) -> Kind:
        """What rerank.json says; else by the head: none is an encoder, one label a reranker, more a classifier."""
        if self.rerank.kind is not None:
            return self.rerank.kind
        if self.architecture == "joint":
            return "reranker"
        if not self._has_head:
            return "encoder"
        return "reranker" if self.labels == 1 else "classifier"

    @property
    def architecture(self) -> Architecture:
        """What rerank.json says; else what config.json does: a model with a head is a cross-encoder."""
        match self.rerank.architecture:
            case "bi-encoder" | "cross-encoder" | "joint" as said:
                return said
            case _ if _JOINT_CLASS in self._classes:
                return "joint"
            case _:
                return "cross-encoder" if self._has_head else "bi-encoder"

    @property
    def labels(self) -> int:
        """How many values the head answers; 2 where config.json does not say, as transformers has it."""
        labels = self.config.get("id2label")
        if isinstance(labels, Mapping):
            return len(labels)
        count = self.config.get("num_labels", _PAIR_LABELS)
        if not isinstance(count, int) or count < 1:
            raise ModelInvalid(f"{self.weights / CONFIG_FILE}: num_labels: must be a whole number above 0")
        return count

    @property
    def weights(self) -> Path:
        """The folder that holds config.json, the weights and the tokenizer."""
        return self.layout.weights

    @property
    def prompts(self) -> Mapping[str, str]:
        """What stands before a `query` and a `document` as the model reads them; rerank.json overrides the layout."""
        return {"query": "", "document": "", **self.layout.prompts, **self.rerank.prompts}

    @cached_property
    def max_tokens(self) -> int:
        """Tokens read at once, special tokens included: what the folder says, within what its positions allow."""
        said = self.rerank.max_tokens or self.layout.max_tokens
        limits = [said or DEFAULT_MAX_TOKENS, self._positions]
        file = self.weights / TOKENIZER_CONFIG_FILE
        if said is None and file.exists():
            limits.append(_whole(read_object(file).get("model_max_length")))
        return int(min(limit for limit in limits if limit is not None))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what decides the model's answers; what only combines them (fusion, min_score) is left out."""
        settings = {"prompts": dict(self.prompts), "max_tokens": self.max_tokens, "architecture": self.architecture}
        try:
            return fingerprint(self.path, self.weights, settings=settings)
        except OSError as exc:
            raise ModelInvalid(f"{exc.filename or self.path}: cannot be read: {exc.strerror}") from exc

    @property
    def _has_head(self) -> bool:
        return any(name.endswith("ForSequenceClassification") for name in self._classes)

    @property
    def _classes(self) -> list[str]:
        classes = self.config.get("architectures")
        return [str(name) for name in classes] if isinstance(classes, list) else []

    @property
    def _positions(self) -> int | None:
        positions = _whole(self.config.get("max_position_embeddings"))
        if positions is not None and self.config.get("model_type") in ("roberta", "xlm-roberta", "camembert"):
            # Their first position is the padding id plus one: that many rows of the table are never used.
            padding = self.config.get("pad_token_id")
            return positions - (padding if isinstance(padding, int) else 1) - 1
        return positions


def _whole(value: object) -> int | None:
    """A limit in tokens; transformers writes 1e30 for "none"."""
    return int(value) if isinstance(value, int | float) and 0 < value < 1e9 else None
