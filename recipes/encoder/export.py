"""Write a course's weights as an encoder folder.

    python -m recipes.encoder.export --base FOLDER --course DIR --output FOLDER [--fraction 1.0] [--last]

By default the running mean of the weights is written. A fraction below 1 mixes in the weights of the base.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file

from recipes.encoder.course import read_checkpoint
from recipes.encoder.student import write_folder


def main() -> None:
    """Writes the folder and prints the step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--course", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--fraction", type=float, default=1.0, help="Of the course's weights in the result.")
    parser.add_argument("--last", action="store_true", help="Writes the last weights instead of their running mean.")
    args = parser.parse_args()
    state = read_checkpoint(args.course)
    found = state["model"] if args.last else state["mean"]
    weights = load_file(str(args.base / "model.safetensors"))
    # What the course held is the base's own, so the base can have another vocabulary.
    mixed = {
        name: tensor.lerp(found[f"body.{name}"], args.fraction) if f"body.{name}" in state["mean"] else tensor
        for name, tensor in weights.items()
    }
    write_folder(args.base, args.output, mixed)
    print(f"{args.output} step={state['step']}")


if __name__ == "__main__":
    main()
