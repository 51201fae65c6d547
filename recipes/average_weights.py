"""Weighted average of the weights of two models of the same architecture.

    python -m recipes.average_weights FOLDER OTHER OUTPUT [--share 0.5]

OUTPUT is a copy of FOLDER with (1 - share) of its weights and *share* of OTHER's. Averaging a trained model with its
base model keeps most of what was learned and restores some of what was forgotten (Wortsman et al.: Robust fine-tuning
of zero-shot models, CVPR 2022).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def main() -> None:
    """Writes OUTPUT. Weights that OTHER lacks stay unchanged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="weight of OTHER, 0 to 1")
    args = parser.parse_args()
    shutil.copytree(args.folder, args.output)
    own, other = load_file(args.folder / WEIGHTS), load_file(args.other / WEIGHTS)
    weights = {
        name: ((1 - args.share) * value.float() + args.share * other.get(name, value).float()).contiguous()
        for name, value in own.items()
    }
    save_file(weights, args.output / WEIGHTS, metadata={"format": "pt"})


if __name__ == "__main__":
    main()
