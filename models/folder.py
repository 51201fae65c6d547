"""Model folder in the Hugging Face layout, with an optional rerank.json."""

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
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
)
"""Files of which one contains the vocabulary of a tokenizer."""
DEFAULT_MAX_TOKENS = 512
"""Limit of a model that states none: passages are short, and the cost of attention grows with the square."""
_PAIR_LABELS = 2
_JOINT_CLASS = "JointReranker"

Architecture = Literal["bi-encoder", "cross-encoder", "joint"]


@dataclass(frozen=True)
class ModelFolder:
    """A validated model folder. `config`: its config.json; `name`: the name by which the user selected it."""

    path: Path
    name: str
    config: Mapping[str, object]
    rerank: RerankFile
    layout: SentenceTransformersLayout

    @classmethod
    def read(cls, path: Path, *, name: str | None = None) -> Self:
        """Reads the configuration files in *path*.

        Raises ModelNotFound if *path* is not a folder, and ModelInvalid, naming file and key, for invalid files.
        """
        if not path.is_dir():
            raise ModelNotFound(f"model folder {path} does not exist")
        rerank = read_rerank_file(path)
        layout = read_sentence_transformers_layout(path)
        file = layout.weights / CONFIG_FILE
        if not file.exists():
            raise ModelInvalid(f"{path} is not a model folder: it has no {CONFIG_FILE}")
        _check_no_code(file, layout.weights / TOKENIZER_CONFIG_FILE)
        folder = cls(path, name or str(path), read_object(file), rerank, layout)
        folder.check()
        return folder

    def check(self) -> None:
        """Raises ModelInvalid for keys that contradict each other."""
        if self.rerank.architecture is not None and self.architecture != self.rerank.architecture:
            raise ModelInvalid(
                f"{self.path / RERANK_FILE}: architecture must be bi-encoder, cross-encoder or joint,"
                f" got {self.rerank.architecture!r}"
            )
        if (self.kind == "encoder") != (self.architecture == "bi-encoder"):
            raise ModelInvalid(
                f"{self.path / RERANK_FILE}: kind {self.kind} cannot have the architecture {self.architecture}"
            )

    def check_tokenizer(self) -> None:
        """Raises ModelInvalid for a folder without tokenizer files: transformers would use an empty vocabulary."""
        if not any((self.weights / name).is_file() for name in TOKENIZER_FILES):
            raise ModelInvalid(
                f"{self.weights}: the model folder has no tokenizer files: {TOKENIZER_FILES[0]} is missing. "
                "Copy it from the folder of the base model."
            )

    @property
    def kind(self) -> Kind:
        """Kind in rerank.json, else the kind that the head in config.json implies.

        Without a head: encoder; with one label: reranker; with more: classifier.
        """
        if self.rerank.kind is not None:
            return self.rerank.kind
        if self.architecture == "joint":
            return "reranker"
        if not self._has_head:
            return "encoder"
        return "reranker" if self.labels == 1 else "classifier"

    @property
    def architecture(self) -> Architecture:
        """Architecture in rerank.json, else from config.json: a model with a head is a cross-encoder."""
        match self.rerank.architecture:
            case "bi-encoder" | "cross-encoder" | "joint" as architecture:
                return architecture
            case _ if _JOINT_CLASS in self._classes:
                return "joint"
            case _:
                return "cross-encoder" if self._has_head else "bi-encoder"

    @property
    def labels(self) -> int:
        """Number of outputs of the head; 2 if config.json does not state it, as in transformers."""
        labels = self.config.get("id2label")
        if isinstance(labels, Mapping):
            return len(labels)
        count = self.config.get("num_labels", _PAIR_LABELS)
        if not isinstance(count, int) or count < 1:
            raise ModelInvalid(f"{self.weights / CONFIG_FILE}: num_labels must be an integer above 0, got {count!r}")
        return count

    @property
    def weights(self) -> Path:
        """Folder of config.json, the weights and the tokenizer."""
        return self.layout.weights

    @property
    def prompts(self) -> Mapping[str, str]:
        """Prefixes of `query` and `document` texts; rerank.json overrides the sentence-transformers layout."""
        return {"query": "", "document": "", **self.layout.prompts, **self.rerank.prompts}

    @cached_property
    def max_tokens(self) -> int:
        """Maximum input length in tokens, with special tokens; at most the number of positions."""
        configured = self.rerank.max_tokens or self.layout.max_tokens
        limits = [configured or DEFAULT_MAX_TOKENS, self._positions]
        file = self.weights / TOKENIZER_CONFIG_FILE
        if configured is None and file.exists():
            limits.append(_token_limit(read_object(file).get("model_max_length")))
        return int(min(limit for limit in limits if limit is not None))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that determines the outputs; not of fusion and min_score, which only combine outputs."""
        settings = {"prompts": dict(self.prompts), "max_tokens": self.max_tokens, "architecture": self.architecture}
        try:
            return fingerprint(self.path, self.weights, settings=settings)
        except OSError as exc:
            raise ModelInvalid(f"cannot read {exc.filename or self.path}: {exc.strerror}") from exc

    @property
    def _has_head(self) -> bool:
        return any(name.endswith("ForSequenceClassification") for name in self._classes)

    @property
    def _classes(self) -> list[str]:
        classes = self.config.get("architectures")
        return [str(name) for name in classes] if isinstance(classes, list) else []

    @property
    def _positions(self) -> int | None:
        positions = _token_limit(self.config.get("max_position_embeddings"))
        if positions is not None and self.config.get("model_type") in ("roberta", "xlm-roberta", "camembert"):
            # The first position is the padding id plus one; the rows before it are unused.
            padding = self.config.get("pad_token_id")
            return positions - (padding if isinstance(padding, int) else 1) - 1
        return positions


def _check_no_code(*files: Path) -> None:
    """Raises ModelInvalid for a model that consists of Python code of its own, before any library opens the folder."""
    for file in files:
        if file.exists() and read_object(file).get("auto_map"):
            raise ModelInvalid(
                f"{file}: the model needs Python code of its own (auto_map), which rerank never runs. "
                "Use a model of an architecture that transformers includes."
            )


def _token_limit(value: object) -> int | None:
    """Returns a limit in tokens, or None; transformers writes 1e30 for no limit."""
    return int(value) if isinstance(value, int | float) and 0 < value < 1e9 else None
