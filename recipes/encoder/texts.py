"""Collect the texts that a shallower student learns from: all sections that may be trained on, and short sentences.

    python -m recipes.encoder.texts --data DIR --output DIR [--megabytes 20]

Writes texts-00.jsonl.gz and so on, each of about --megabytes, in random order: one kind (`query` or `passage`) and text
a line.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from recipes.encoder.files import Row, read_rows, write_rows
from recipes.encoder.sections import Sections, as_query

SENTENCES = {"gnome_help": 3000, "godot_editor": 4000, "magento_shop_ui": 4000, "tatoeba": 20_000, "tldr_pages": 4000}
"""Files of parallel_en_it, and the most pairs taken of each."""


def collected(data: Path, draw: random.Random) -> Iterator[Row]:
    """Yields the texts."""
    sections = Sections.read(data / "sections")
    for language in ("en", "it"):
        for row in sections.trainable(language):
            yield {"kind": "passage", "text": row["passage"]}
            yield {"kind": "query", "text": as_query(row, draw)}
    for name, most in SENTENCES.items():
        pairs = list(read_rows(data / "parallel_en_it" / f"{name}.jsonl.gz"))
        for pair in draw.sample(pairs, min(most, len(pairs))):
            yield {"kind": draw.choice(["query", "passage"]), "text": pair["it"]}
            yield {"kind": draw.choice(["query", "passage"]), "text": pair["en"]}


def main() -> None:
    """Writes the files and prints their numbers of texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=60, help="Of a file, before compression.")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    rows = list({(row["kind"], row["text"]): row for row in collected(args.data, draw)}.values())
    draw.shuffle(rows)
    args.output.mkdir(parents=True, exist_ok=True)
    part: list[Row] = []
    size = number = 0
    for place, row in enumerate(rows):
        part.append(row)
        size += len(row["text"])
        if size >= args.megabytes * 1_000_000 or place == len(rows) - 1:
            path = args.output / f"texts-{number:02}.jsonl.gz"
            print(path, write_rows(path, part), flush=True)
            part, size, number = [], 0, number + 1


if __name__ == "__main__":
    main()
