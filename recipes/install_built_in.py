"""A trained model as it ships: weights in float16, and of the run's files only what serving and training read.

    python -m recipes.install_built_in FOLDER NAME --base BASE --trained-on SET … [--default] [--languages en it]

Writes models/builtin/NAME. The card (README.md) and the licence of the weights are written by hand, there and in
NOTICE. --default makes it what `default` means for its role, and takes that from the model that had it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from rerank.core.errors import ModelInvalid
from rerank.models.catalog import BUILT_IN, built_in_models
from rerank.models.folder import ModelFolder
from rerank.models.rerank_file import RERANK_FILE

WEIGHTS = "model.safetensors"
LEFT_OUT = ("README.md", "metrics.json", "training.png", "checkpoints", WEIGHTS, RERANK_FILE)
LICENCE = "Apache-2.0"


def ship(source: Path, name: str, *, default: bool, said: Mapping[str, object]) -> Path:
    """The folder models/builtin/NAME, made anew, with what rerank.json says besides; a card that was there stays.

    Raises ModelInvalid for no model.
    """
    folder = ModelFolder.read(source)
    target = BUILT_IN / name
    card = (target / "README.md").read_text(encoding="utf-8") if (target / "README.md").exists() else ""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    weights = {key: value.half().contiguous() for key, value in load_file(source / WEIGHTS).items()}
    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise ModelInvalid(f"{source}: weights that float16 does not hold")
    save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
    (target / WEIGHTS).chmod(0o644)
    _rewrite(target / "config.json", {})
    if card:
        (target / "README.md").write_text(card, encoding="utf-8")
    content = json.loads((source / RERANK_FILE).read_text(encoding="utf-8"))
    content |= {"default": default, "licence": LICENCE, **said}
    (target / RERANK_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if default:
        for other in built_in_models().values():
            if other != target and (ModelFolder.read(other).kind == "encoder") == (folder.kind == "encoder"):
                _rewrite(other / RERANK_FILE, {"default": False})
    return target


def _rewrite(file: Path, values: Mapping[str, object]) -> None:
    content = json.loads(file.read_text(encoding="utf-8")) | values
    content.pop("_name_or_path", None)
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Write the folder, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--default", action="store_true")
    parser.add_argument("--base", required=True)
    parser.add_argument("--languages", nargs="+", default=["en", "it"])
    parser.add_argument("--trained-on", nargs="+", required=True)
    options = parser.parse_args()
    said = {"languages": options.languages, "trained_on": options.trained_on, "base": options.base}
    target = ship(options.folder, options.name, default=options.default, said=said)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"{target}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
