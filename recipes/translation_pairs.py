"""Translations for the built-in bilingual encoder, from openly licensed sets: lines of {"en", "it"}, or of {"en"}.

    python -m recipes.translation_pairs --data DATA --output FILE.jsonl.gz [--passages 40000] [--seed 42]

The sentence pairs of parallel_en_it whose licence is CC BY, CC BY-SA or MIT, without those of the test files
(ntrex_news, laser_tatoeba_test; a sentence that stands in one of them is left out of the others as well), and then
English passages alone, whose vectors are to stay where they are: paragraphs of wiki_en, longer than the sentences
that have translations.
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

LEARNED = ("tatoeba", "ud_pud", "gnome_help", "godot_editor", "magento_shop_ui", "tldr_pages")
MEASURED = ("ntrex_news", "laser_tatoeba_test")
_WORDS = range(30, 200)
"""Words of a paragraph that is kept: longer than a sentence, and not longer than the encoder reads."""


def translations(data: Path) -> Iterator[dict[str, str]]:
    """Each pair once, none of whose sides is measured on."""
    folder = data / "parallel_en_it"
    measured = {str(row[side]) for name in MEASURED for row in read_lines(folder / f"{name}.jsonl.gz") for side in row}
    seen: set[tuple[str, str]] = set()
    for name in LEARNED:
        for row in read_lines(folder / f"{name}.jsonl.gz"):
            pair = str(row["en"]).strip(), str(row["it"]).strip()
            if all(pair) and pair not in seen and measured.isdisjoint(pair):
                seen.add(pair)
                yield {"en": pair[0], "it": pair[1]}


def passages(data: Path) -> Iterator[dict[str, str]]:
    """Every paragraph of middle length of the English Wikipedia's articles, in their order."""
    with lzma.open(data / "wiki_en" / "docs.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            for paragraph in json.loads(line)["text"].split("\n"):
                if len(paragraph.split()) in _WORDS:
                    yield {"en": paragraph}


def main() -> None:
    """Write all translations and a sample of the passages, shuffled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    found = list(translations(args.data))
    alone = list(passages(args.data))
    kept = draw.sample(alone, min(args.passages, len(alone)))
    print(f"{len(found)} pairs, {len(kept)} of {len(alone)} passages", flush=True)
    rows = [*found, *kept]
    draw.shuffle(rows)
    with gzip.open(args.output, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main()
