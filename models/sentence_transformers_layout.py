"""The sentence-transformers layout of a model folder: modules.json and the files named there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from rerank.core.errors import ModelInvalid
from rerank.models.rerank_file import read_json, read_object

Pooling = Literal["mean", "cls", "lasttoken"]
MODULES_FILE = "modules.json"
_LEGACY = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Names that sentence-transformers tries for the prompt of a document, in order."""


@dataclass(frozen=True)
class SentenceTransformersLayout:
    """Pooling, prompts and limits of an encoder. Mean pooling without modules.json, as in sentence-transformers."""

    weights: Path
    pooling: Pooling = "mean"
    prompts: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None


def read_sentence_transformers_layout(folder: Path) -> SentenceTransformersLayout:
    """Returns the layout of *folder*. Raises ModelInvalid for a broken layout or an unsupported module."""
    weights = folder
    pooling: Pooling = "mean"
    if (folder / MODULES_FILE).exists():
        for kind, path in _modules(folder):
            if kind == "Transformer":
                weights = path
            elif kind == "Pooling":
                pooling = _pooling(path / "config.json")
            elif kind != "Normalize":
                raise ModelInvalid(
                    f"{folder / MODULES_FILE}: module type {kind} is not supported."
                    " Supported: Transformer, Pooling, Normalize"
                )
    return SentenceTransformersLayout(weights, pooling, _prompts(folder), _max_tokens(weights))


def _modules(folder: Path) -> list[tuple[str, Path]]:
    file = folder / MODULES_FILE
    entries = read_json(file)
    if not isinstance(entries, list) or not all(isinstance(e, dict) and {"type", "path"} <= e.keys() for e in entries):
        raise ModelInvalid(f'{file}: must be a list of objects with "type" and "path"')
    modules = [(str(entry["type"]).rpartition(".")[2], (folder / str(entry["path"])).resolve()) for entry in entries]
    for kind, path in modules:
        if not path.is_relative_to(folder.resolve()):
            raise ModelInvalid(f"{file}: the path of {kind} must be inside the model folder")
    # Not resolved, so that messages name paths as the user wrote them.
    return [(kind, folder / path.relative_to(folder.resolve())) for kind, path in modules]


def _pooling(file: Path) -> Pooling:
    config = read_object(file)
    legacy = [mode for key, mode in _LEGACY.items() if config.get(key)]
    mode = config.get("pooling_mode", legacy or "mean")
    if isinstance(mode, list) and len(mode) == 1:
        mode = mode[0]
    if mode not in get_args(Pooling):
        raise ModelInvalid(f"{file}: pooling mode {mode} is not supported. Supported: {', '.join(get_args(Pooling))}")
    if config.get("include_prompt") is False:
        raise ModelInvalid(f"{file}: include_prompt must be true, got false")
    return cast(Pooling, mode)


def _prompts(folder: Path) -> dict[str, str]:
    file = folder / "config_sentence_transformers.json"
    if not file.exists():
        return {}
    config = read_object(file)
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str) for prompt in prompts.values()):
        raise ModelInvalid(f"{file}: prompts must be an object of strings")
    default = prompts.get(str(config.get("default_prompt_name")), "")
    document = next((prompts[name] for name in _DOCUMENT_PROMPTS if name in prompts), default)
    return {"query": prompts.get("query", default), "document": document}


def _max_tokens(weights: Path) -> int | None:
    file = weights / "sentence_bert_config.json"
    if not file.exists():
        return None
    length = read_object(file).get("max_seq_length")
    if length is not None and (not isinstance(length, int) or length < 1):
        raise ModelInvalid(f"{file}: max_seq_length must be an integer above 0, got {length!r}")
    return length
