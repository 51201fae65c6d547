"""Collect the training examples: queries with their passages, from every source that may be trained on.

    python -m recipes.encoder.collect --data DIR --output examples.jsonl.gz [--seed 42] [--scale 1.0]

Each line: group (`en`, `it`, `it-en`, `en-it`: language of the query, then of the passage), source, query, passage,
and `twin` where the same query exists in English. A stronger English teacher then scores the twin.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from recipes.encoder.files import Row, read_rows, write_rows
from recipes.encoder.sections import Sections, as_passage, as_query, sampled, section, without_repeats
from recipes.sources import SOURCES, is_for_fitting, with_title

QUESTIONS = {
    "selqa": ("en", 1500),
    "medquad": ("en", 1000),
    "pubmedqa": ("en", 900),
    "pubmedqa_answers": ("en", 500),
    "nqg_test": ("en", 1000),
    "scifact": ("en", 500),
    "tldr_english": ("en", 900),
    "wiki_en": ("en", 1800),
    "squad_it": ("it", 6500),
    "tldr_italian": ("it", 1000),
    "tldr_across": ("it-en", 1200),
}
"""Question sets: group, and the most questions taken of each."""
SECTIONS = {"en": 9000, "it": 8500}
LINKED = {"it-en": 8000, "en-it": 3000}


def question_sets(data: Path, draw: random.Random, scale: float) -> Iterator[Row]:
    """Yields the examples of the question sets. A twentieth of the questions is kept apart for the fusion."""
    for name, (group, most) in QUESTIONS.items():
        source = SOURCES[name][0](data, random.Random(f"encoder {name}"))
        questions = [(text, places) for text, places in source.questions if not is_for_fitting(text)]
        draw.shuffle(questions)
        for text, places in questions[: int(most * scale)]:
            yield {"group": group, "source": name, "query": text, "passage": source.passages[min(places)]}
    pairs = list(read_rows(data / "nq_oracle" / "pairs.jsonl.gz"))
    for row in draw.sample(pairs, int(len(pairs) * min(1.0, 1.5 * scale))):
        passage = with_title(row["title"], row["passage"])
        yield {"group": "en", "source": "nq_oracle", "query": row["question"], "passage": passage}


def headings(sections: Sections, draw: random.Random, scale: float) -> Iterator[Row]:
    """Yields headings with passages of their own language."""
    for language, count in SECTIONS.items():
        for row in sampled(without_repeats(sections.trainable(language)), int(count * scale), draw):
            yield {
                "group": language,
                "source": row["source"],
                "query": as_query(row, draw),
                "passage": as_passage(row, draw),
            }


def linked(sections: Sections, draw: random.Random, scale: float) -> Iterator[Row]:
    """Yields headings of one language with the passage of the other."""
    pairs = [
        row
        for row in sections.trainable("it")
        if row.get("en_id") in sections.rows and section(row["en_id"]) not in sections.held_out_sections
    ]
    for group, count in LINKED.items():
        for italian in sampled(without_repeats(pairs), int(count * scale), draw):
            english = sections.rows[italian["en_id"]]
            seed = draw.random()
            # The same seed gives both languages the same form.
            queries = {row["lang"]: as_query(row, random.Random(seed)) for row in (italian, english)}
            asked, answered = group.split("-")
            passage = as_passage(english if answered == "en" else italian, draw)
            row = {"group": group, "source": italian["source"], "query": queries[asked], "passage": passage}
            yield row | ({"twin": queries["en"]} if asked == "it" else {})


def main() -> None:
    """Writes the examples and prints their numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--scale", type=float, default=1.0, help="Multiplies the number taken of each source.")
    args = parser.parse_args()
    draw = random.Random(args.seed)
    sections = Sections.read(args.data / "sections")
    rows = [
        *question_sets(args.data, draw, args.scale),
        *headings(sections, draw, args.scale),
        *linked(sections, draw, args.scale),
    ]
    rows = [row for row in rows if row["query"].strip() and row["passage"].strip()]
    draw.shuffle(rows)
    write_rows(args.output, rows)
    for (group, source), count in sorted(Counter((row["group"], row["source"]) for row in rows).items()):
        print(f"{group:6} {source:24} {count}")
    print({group: sum(row["group"] == group for row in rows) for group in ("en", "it", "it-en", "en-it")})


if __name__ == "__main__":
    main()
