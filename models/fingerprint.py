"""Fingerprints of models. Models with equal fingerprints return equal outputs."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

_FILES = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
)
_POOLING = "*_Pooling/config.json"
_VOCABULARY = ("vocab.txt", "vocab.json", "merges.txt", "*.model")
"""Hashed only without a tokenizer.json, which contains the vocabulary."""
_BLOCK = 1 << 20


def fingerprint(folder: Path, weights: Path, *, settings: object) -> str:
    """Returns a hash (32 hex digits) of the files that determine the outputs, and of *settings* (any JSON value).

    *weights* is the folder of the weights: *folder* or a folder inside it. A file is hashed once per process, and
    again if its size or modification time changes.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(folder, weights):
        stat = file.stat()
        name = str(file.relative_to(folder))
        digest.update(f"{name}\0{_file_hash(file, stat.st_size, stat.st_mtime_ns)}\0".encode())
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()


def _files(folder: Path, weights: Path) -> list[Path]:
    folders = {folder, weights}
    files = {file for path in folders for pattern in _FILES for file in path.glob(pattern)}
    files.update(folder.glob(_POOLING))
    tokenizer = {path / "tokenizer.json" for path in folders if (path / "tokenizer.json").exists()}
    vocabulary = {file for path in folders for pattern in _VOCABULARY for file in path.glob(pattern)}
    return sorted(files | (tokenizer or vocabulary))


@lru_cache(maxsize=1024)
def _file_hash(file: Path, size: int, modified_ns: int) -> str:
    del size, modified_ns  # Part of the cache key: another size or time means changed content.
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
