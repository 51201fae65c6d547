"""The judged queries that the built-in reranker's fused order and calibration are fitted to, as a BEIR folder.

    python -m recipes.fusion_fitting_set --data DIR --output FOLDER [--seed 42]
    rerank-cli ingest FOLDER --index fitting --encoder ENCODER --store STORE
    rerank-cli models calibrate MODEL --data FOLDER --index fitting --encoder ENCODER --store STORE

Passages of openly licensed sets in English and Italian, and of their questions those that no training reads (`weighs`
in training_sources). None of the sets that results are measured on is among them.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from recipes.sources import SOURCES, weighs

QUESTIONS = {
    "squad_it": 200,
    "nqg_test": 120,
    "selqa": 80,
    "pubmedqa": 60,
    "medquad": 60,
    "tldr_italian": 40,
    "scifact": 40,
    "covid_faq": 40,
}
"""The sets, and how many of their questions are taken at most: the languages have about the same say."""


def main() -> None:
    """Write corpus, queries and judgments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    (args.output / "qrels").mkdir(parents=True)
    with (
        (args.output / "corpus.jsonl").open("w", encoding="utf-8") as corpus,
        (args.output / "queries.jsonl").open("w", encoding="utf-8") as queries,
        (args.output / "qrels" / "test.tsv").open("w", encoding="utf-8") as judgments,
    ):
        judgments.write("query-id\tcorpus-id\tscore\n")
        for name, most in QUESTIONS.items():
            draw = random.Random(f"{args.seed} {name}")
            source = SOURCES[name][0](args.data, draw)
            for place, passage in enumerate(source.passages):
                corpus.write(json.dumps({"_id": f"{name}-{place}", "text": passage}, ensure_ascii=False) + "\n")
            kept = [question for question in source.questions if weighs(question[0])]
            chosen = draw.sample(kept, min(most, len(kept)))
            for number, (text, answers) in enumerate(chosen):
                query_id = f"{name}-q{number}"
                queries.write(json.dumps({"_id": query_id, "text": text}, ensure_ascii=False) + "\n")
                judgments.writelines(f"{query_id}\t{name}-{place}\t1\n" for place in sorted(answers))
            print(f"{name}: {len(source.passages)} passages, {len(chosen)} questions", flush=True)


if __name__ == "__main__":
    main()
