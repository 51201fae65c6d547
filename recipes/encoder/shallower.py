"""Write an encoder folder with some of a base's layers, as the start of a shallower student.

python -m recipes.encoder.shallower --base FOLDER --output FOLDER [--layers 0 2 4 7 9 11]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from recipes.encoder.student import write_folder

_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)")


def with_layers(weights: Mapping[str, Tensor], layers: Sequence[int]) -> dict[str, Tensor]:
    """Returns the weights with *layers* alone, numbered from 0."""
    number = {old: new for new, old in enumerate(layers)}
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if not (match := _LAYER.fullmatch(name)):
            found[name] = tensor
        elif int(match[1]) in number:
            found[f"encoder.layer.{number[int(match[1])]}.{match[2]}"] = tensor
    return found


def main() -> None:
    """Writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--layers", type=int, nargs="+", default=[0, 2, 4, 7, 9, 11])
    args = parser.parse_args()
    weights = with_layers(load_file(str(args.base / "model.safetensors")), args.layers)
    write_folder(args.base, args.output, weights, layers=len(args.layers))
    print(args.output)


if __name__ == "__main__":
    main()
