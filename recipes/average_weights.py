"""Two models of one shape, averaged weight by weight.

    python -m recipes.average_weights FOLDER OTHER OUTPUT [--share 0.5]

OUTPUT is FOLDER with (1 - share) of its own weights and *share* of OTHER's, from which it was trained: what was learned
stays for the most part, and what was forgotten comes back (Wortsman et al.: Robust fine-tuning of zero-shot models,
CVPR 2022).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def main() -> None:
    """Write the folder. Weights that OTHER does not have stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, default=0.5)
    options = parser.parse_args()
    shutil.copytree(options.folder, options.output)
    own, other = load_file(options.folder / WEIGHTS), load_file(options.other / WEIGHTS)
    weights = {
        name: ((1 - options.share) * value.float() + options.share * other.get(name, value).float()).contiguous()
        for name, value in own.items()
    }
    save_file(weights, options.output / WEIGHTS, metadata={"format": "pt"})


if __name__ == "__main__":
    main()
