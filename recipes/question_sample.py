"""The questions that the built-in encoder learns from: of prepare_pairs' lists the query and its passage.

    python -m recipes.question_sample LISTS.jsonl.gz OUTPUT.jsonl.gz

All Italian lists and so many of each English set that both languages have about the same say.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from pathlib import Path

from recipes.sources import read_lines

ITALIAN = ("squad_it", "tldr_italian", "tldr_across", "covid_faq")
ENGLISH = {
    "nqg_test": 1500,
    "selqa": 700,
    "wiki_en": 700,
    "pubmedqa": 500,
    "medquad": 500,
    "scifact": 400,
    "tldr_english": 300,
}
"""How many of each are taken, the first ones."""


def main() -> None:
    """Write the sample, in the lists' order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    taken: Counter[str] = Counter()
    with gzip.open(options.output, "wt", encoding="utf-8") as out:
        for row in read_lines(options.lists):
            name = str(row["set"])
            if name in ITALIAN or taken[name] < ENGLISH.get(name, 0):
                taken[name] += 1
                kept = {"query": row["query"], "positive": row["positive"]}
                out.write(json.dumps(kept, ensure_ascii=False) + "\n")
    print(f"{taken.total()} questions: {dict(taken)}")


if __name__ == "__main__":
    main()
