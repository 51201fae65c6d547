"""Writes the BEIR folder that the calibration of the built-in reranker's logit is fitted on.

    python -m recipes.fusion_fitting_set --data DIR --output FOLDER [--seed 42]
    rerank-cli ingest FOLDER --index fitting --encoder ENCODER --store STORE
    rerank-cli models calibrate MODEL --data FOLDER --index fitting --encoder ENCODER --store STORE

The folder has passages of openly licensed sets in English and Italian, and the questions that are excluded from
training (`sources.is_for_fitting`). It has none of the evaluation sets.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from recipes.sources import SOURCES, is_for_fitting

MAX_QUESTIONS = {
    "squad_it": 200,
    "nqg_test": 120,
    "selqa": 80,
    "pubmedqa": 60,
    "medquad": 60,
    "tldr_italian": 40,
    "scifact": 40,
    "covid_faq": 40,
}
"""Maximum number of questions per set. Both languages get about the same weight."""


def main() -> None:
    """Writes corpus, queries and qrels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    (args.output / "qrels").mkdir(parents=True)
    with (
        (args.output / "corpus.jsonl").open("w", encoding="utf-8") as corpus,
        (args.output / "queries.jsonl").open("w", encoding="utf-8") as queries,
        (args.output / "qrels" / "test.tsv").open("w", encoding="utf-8") as qrels,
    ):
        qrels.write("query-id\tcorpus-id\tscore\n")
        for name, limit in MAX_QUESTIONS.items():
            draw = random.Random(f"{args.seed} {name}")
            source = SOURCES[name][0](args.data, draw)
            for row, passage in enumerate(source.passages):
                corpus.write(json.dumps({"_id": f"{name}-{row}", "text": passage}, ensure_ascii=False) + "\n")
            questions = [question for question in source.questions if is_for_fitting(question[0])]
            sample = draw.sample(questions, min(limit, len(questions)))
            for number, (text, answers) in enumerate(sample):
                query_id = f"{name}-q{number}"
                queries.write(json.dumps({"_id": query_id, "text": text}, ensure_ascii=False) + "\n")
                qrels.writelines(f"{query_id}\t{name}-{row}\t1\n" for row in sorted(answers))
            print(f"{name}: {len(source.passages)} passages, {len(sample)} questions", flush=True)


if __name__ == "__main__":
    main()
