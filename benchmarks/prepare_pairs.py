"""Training lists for the built-in reranker, from openly licensed sets: a query, its passage, hard negatives.

    python -m benchmarks.prepare_pairs --data DIR --output FILE.jsonl.gz [--encoder NAME] [--negatives 9] [--seed 42]

Each line: {"set", "query", "positive", "negatives", "teacher": [the encoder's cosines, positive first]}. Passages
stand as they are served, headed by their title. Of 9 negatives a training takes as many as it is told, and measures
on all. A negative is mined among the set's own passages: the nearest to the query by the encoder's cosine, and the
first by their words (BM25), as a hybrid search finds them; but no copy of an answer, and below .95 of the answer's own
cosine, above which too many unjudged answers lie. What is held out is said in training_sources.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.training_sources import SOURCES, Source, weighs
from benchmarks.word_index import WordIndex
from core.protocols import Encoder
from models.loading import load_encoder

NEAREST = 30
MARGIN = 0.95
COPY = 0.97


def mined(
    source: Source, encoder: Encoder, draw: random.Random, *, limit: int, negatives: int
) -> Iterator[dict[str, object]]:
    """At most *limit* lists of *source*, in random order."""
    learned = [question for question in source.questions if not weighs(question[0])]
    asked = draw.sample(learned, min(limit, len(learned)))
    passages = encoder.encode_documents(source.passages)  # (m, dim)
    queries = encoder.encode_queries([text for text, _ in asked])  # (n, dim)
    words = WordIndex(source.passages)
    for (text, answers), query in zip(asked, queries, strict=True):
        cosines = passages @ query  # (m,)
        positive = draw.choice(sorted(answers))
        refused = _refused(cosines, passages, answers, positive)
        found = _first(cosines, words.scores(text), refused)
        if len(found) < negatives:
            continue
        chosen = draw.sample(found, negatives)
        yield {
            "query": text,
            "positive": source.passages[positive],
            "negatives": [source.passages[place] for place in chosen],
            "teacher": [round(float(cosines[place]), 4) for place in [positive, *chosen]],
        }


def _refused(
    cosines: NDArray[np.float32], passages: NDArray[np.float32], answers: frozenset[int], positive: int
) -> NDArray[np.bool_]:
    """Which passages (m,) may answer the query, or copy what does."""
    copies = (passages @ passages[sorted(answers)].T).max(axis=1) > COPY  # (m,)
    refused: NDArray[np.bool_] = (cosines >= MARGIN * cosines[positive]) | copies
    return refused


def _first(cosines: NDArray[np.float32], words: NDArray[np.float64], refused: NDArray[np.bool_]) -> list[int]:
    """The NEAREST passages by either score that are not refused."""
    near = np.argsort(-cosines, kind="stable")
    shared = np.argsort(-words, kind="stable")
    shared = shared[words[shared] > 0]
    kept = [order[~refused[order]][:NEAREST].tolist() for order in (near, shared)]
    return list(dict.fromkeys(kept[0] + kept[1]))


def main() -> None:
    """Write the lists of all sets, shuffled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--negatives", type=int, default=9)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    encoder = load_encoder(args.encoder)
    lists: list[dict[str, object]] = []
    for name, (read, limit) in SOURCES.items():
        draw = random.Random(f"{args.seed} {name}")
        found = mined(read(args.data, draw), encoder, draw, limit=limit, negatives=args.negatives)
        rows = [{"set": name, **row} for row in found]
        print(f"{name}: {len(rows)} lists", flush=True)
        lists.extend(rows)
    random.Random(args.seed).shuffle(lists)
    with gzip.open(args.output, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in lists)


if __name__ == "__main__":
    main()
