"""Writes the questions that the built-in encoder learns from: query and positive of the lists of training_lists.

    python -m recipes.question_sample LISTS.jsonl.gz OUTPUT.jsonl.gz

The sample has all Italian lists, and as many English ones.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from pathlib import Path

from recipes.sources import read_lines

ITALIAN = ("squad_it", "tldr_italian", "tldr_across", "covid_faq")
MAX_ENGLISH = {
    "nqg_test": 1500,
    "selqa": 700,
    "wiki_en": 700,
    "pubmedqa": 500,
    "medquad": 500,
    "scifact": 400,
    "tldr_english": 300,
}
"""Number of lists to take from each English set, in the order of the file."""


def main() -> None:
    """Writes the sample in the order of the lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    counts: Counter[str] = Counter()
    with gzip.open(args.output, "wt", encoding="utf-8") as out:
        for row in read_lines(args.lists):
            name = str(row["set"])
            if name in ITALIAN or counts[name] < MAX_ENGLISH.get(name, 0):
                counts[name] += 1
                question = {"query": row["query"], "positive": row["positive"]}
                out.write(json.dumps(question, ensure_ascii=False) + "\n")
    print(f"{counts.total()} questions: {dict(counts)}")


if __name__ == "__main__":
    main()
