"""A model's fingerprint: equal fingerprints mean equal answers."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

_READ = (
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
"""Read only where there is no tokenizer.json, which holds all of it."""
_BLOCK = 1 << 20


def fingerprint(folder: Path, weights: Path, *, settings: object) -> str:
    """Hash (32 hex digits) of the files that decide what the model answers, and of *settings* (any JSON value).

    *weights* is the folder that holds the weights: *folder*, or one inside it. A file is read once in a process, and
    again when its size or time of change differs.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(folder, weights):
        stat = file.stat()
        name = str(file.relative_to(folder))
        digest.update(f"{name}\0{_file_hash(file, stat.st_size, stat.st_mtime_ns)}\0".encode())
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()


def _files(folder: Path, weights: Path) -> list[Path]:
    places = {folder, weights}
    found = {file for place in places for pattern in _READ for file in place.glob(pattern)}
    found.update(folder.glob(_POOLING))
    tokenizer = {place / "tokenizer.json" for place in places if (place / "tokenizer.json").exists()}
    vocabulary = {file for place in places for pattern in _VOCABULARY for file in place.glob(pattern)}
    return sorted(found | (tokenizer or vocabulary))


@lru_cache(maxsize=1024)
def _file_hash(file: Path, size: int, changed: int) -> str:
    del size, changed  # they are the cache's key: another size or time means another content
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
