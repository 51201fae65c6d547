"""Writes translations for the built-in bilingual encoder, from openly licensed sets: lines of {"en", "it"} or {"en"}.

    python -m recipes.translation_pairs --data DATA --output FILE.jsonl.gz [--passages 40000] [--seed 42]

The file has the sentence pairs of parallel_en_it whose licence is CC BY, CC BY-SA or MIT, without the test files
(ntrex_news, laser_tatoeba_test) and their sentences. It also has English paragraphs of wiki_en, longer than the
sentences, whose vectors the training keeps.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import random
from collections.abc import Iterator
from pathlib import Path

from recipes.sources import read_lines

TRAINING_FILES = ("tatoeba", "ud_pud", "gnome_help", "godot_editor", "magento_shop_ui", "tldr_pages")
TEST_FILES = ("ntrex_news", "laser_tatoeba_test")
_WORDS = range(30, 200)
"""Number of words of a paragraph: more than a sentence, and at most what the encoder reads."""


def translations(data: Path) -> Iterator[dict[str, str]]:
    """Yields each different pair without a sentence of the test files."""
    folder = data / "parallel_en_it"
    tested = {str(row[side]) for name in TEST_FILES for row in read_lines(folder / f"{name}.jsonl.gz") for side in row}
    seen: set[tuple[str, str]] = set()
    for name in TRAINING_FILES:
        for row in read_lines(folder / f"{name}.jsonl.gz"):
            pair = str(row["en"]).strip(), str(row["it"]).strip()
            if all(pair) and pair not in seen and tested.isdisjoint(pair):
                seen.add(pair)
                yield {"en": pair[0], "it": pair[1]}


def paragraphs(data: Path) -> Iterator[dict[str, str]]:
    """Yields the paragraphs of medium length of the English Wikipedia articles."""
    with lzma.open(data / "wiki_en" / "docs.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            for paragraph in json.loads(line)["text"].split("\n"):
                if len(paragraph.split()) in _WORDS:
                    yield {"en": paragraph}


def main() -> None:
    """Writes all translations and a sample of the paragraphs, shuffled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=40_000, help="number of paragraphs")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    pairs = list(translations(args.data))
    english = list(paragraphs(args.data))
    sample = draw.sample(english, min(args.passages, len(english)))
    print(f"{len(pairs)} pairs, {len(sample)} of {len(english)} paragraphs", flush=True)
    rows = [*pairs, *sample]
    draw.shuffle(rows)
    with gzip.open(args.output, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main()
