"""Installs a trained model as a built-in one: float16 weights, and only the files that serving and training need.

    python -m recipes.install_built_in FOLDER NAME --base BASE --trained-on SET … [--default] [--languages en it]

Writes models/builtin/NAME. Write the model card (README.md) there and the licence of the weights in NOTICE by hand.
--default makes the model the default for its role, instead of the current one.
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
CARD = "README.md"
SKIPPED = (CARD, "metrics.json", "training.png", "checkpoints", WEIGHTS, RERANK_FILE)
LICENCE = "Apache-2.0"


def install(source: Path, name: str, *, default: bool, metadata: Mapping[str, object]) -> Path:
    """Replaces the folder models/builtin/NAME, except for its model card, and returns it.

    *metadata*: values for rerank.json. Raises ModelInvalid if *source* is not a model or float16 cannot hold a weight.
    """
    folder = ModelFolder.read(source)
    target = BUILT_IN / name
    card = (target / CARD).read_text(encoding="utf-8") if (target / CARD).exists() else ""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*SKIPPED))
    weights = {key: value.half().contiguous() for key, value in load_file(source / WEIGHTS).items()}
    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise ModelInvalid(f"{source}: all weights must fit into float16.")
    save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
    (target / WEIGHTS).chmod(0o644)
    _update_json(target / "config.json", {})
    if card:
        (target / CARD).write_text(card, encoding="utf-8")
    content = json.loads((source / RERANK_FILE).read_text(encoding="utf-8"))
    content |= {"default": default, "licence": LICENCE, **metadata}
    (target / RERANK_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if default:
        for other in built_in_models().values():
            if other != target and (ModelFolder.read(other).kind == "encoder") == (folder.kind == "encoder"):
                _update_json(other / RERANK_FILE, {"default": False})
    return target


def _update_json(file: Path, values: Mapping[str, object]) -> None:
    content = json.loads(file.read_text(encoding="utf-8")) | values
    content.pop("_name_or_path", None)
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Writes the folder and prints its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--default", action="store_true")
    parser.add_argument("--base", required=True)
    parser.add_argument("--languages", nargs="+", default=["en", "it"])
    parser.add_argument("--trained-on", nargs="+", required=True)
    args = parser.parse_args()
    metadata = {"languages": args.languages, "trained_on": args.trained_on, "base": args.base}
    target = install(args.folder, args.name, default=args.default, metadata=metadata)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"{target}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
