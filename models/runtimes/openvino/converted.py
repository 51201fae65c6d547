"""A model converted for OpenVINO, in memory and in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import openvino
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rerank.models.runtimes.openvino.tensors import Array

MANIFEST_FILE = "manifest.json"
_HEAD_FILE = "head.safetensors"
_BLOCK = 1 << 20


class ConvertedModelBroken(Exception):
    """Folder of a converted model that is incomplete or has changed files."""


@dataclass(frozen=True)
class ConvertedModel:
    """A converted model.

    graphs: parts of the model by name. head: tensors of the head by name. positions: maximum number of tokens of a row.
    """

    graphs: Mapping[str, openvino.Model]
    head: Mapping[str, Array] = field(default_factory=dict)
    positions: int = 1 << 30

    def save(self, folder: Path) -> None:
        """Writes all parts into the empty *folder*, and the manifest with their hashes last."""
        for name, graph in self.graphs.items():
            openvino.save_model(graph, str(folder / f"{name}.xml"), compress_to_fp16=False)
        if self.head:
            save_file(dict(self.head), str(folder / _HEAD_FILE))
        hashes = {file.name: _hash(file) for file in sorted(folder.iterdir())}
        manifest = {"graphs": list(self.graphs), "positions": self.positions, "files": hashes}
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Returns the model that `save` wrote. Raises ConvertedModelBroken if files are missing or changed."""
        try:
            manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
            hashes = {name: _hash(folder / name) for name in manifest["files"]}
            if hashes != manifest["files"]:
                raise ConvertedModelBroken(f"{folder}: a file has changed")
            core = openvino.Core()
            # Files are read, not memory-mapped: removing the cache folder on a network disk would crash the service.
            graphs = {name: core.read_model(str(folder / f"{name}.xml")) for name in manifest["graphs"]}
            head = load_file(str(folder / _HEAD_FILE)) if _HEAD_FILE in manifest["files"] else {}
            return cls(graphs, head, int(manifest["positions"]))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as exc:
            raise ConvertedModelBroken(f"{folder}: {exc}") from exc


def _hash(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
