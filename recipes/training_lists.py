"""Training lists for the built-in reranker, from openly licensed sets: a query, its passage, hard negatives.

    python -m recipes.training_lists --data DIR --output FILE.jsonl.gz [--encoder NAME] [--negatives 9] [--seed 42]
        [--margin .95] [--teacher cosine]

Each line: {"set", "query", "positive", "negatives", "teacher": [values, positive first]}. Passages stand as they are
served, headed by their title. Of 9 negatives a training takes as many as it is told, and measures on all. A negative
is mined among the set's own passages: the nearest to the query by the encoder's cosine, and the first by their words
(BM25), as a hybrid search finds them; but no copy of an answer, and below --margin times the answer's own cosine.

With a margin below 1 the cosine alone orders every list, and a reranker learns to repeat it. `--margin inf` leaves the
lists as a search finds them, where an answer has to be told from passages that vectors or words put above it; only of
covid_faq, whose agencies answer the same questions, the margin stays. The teacher's values are the encoder's cosines,
or with `--teacher first-stage` what vectors and words say together. What is held out is said in training_sources.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.bm25 import WordIndex
from recipes.sources import SOURCES, Source, weighs
from rerank.core.protocols import Encoder
from rerank.models.loading import load_encoder

NEAREST = 30
MARGIN = 0.95
COPY = 0.97
SHARE = 0.1
"""Of a deviation, in the teacher's values, which a training makes 12 times as wide (list_loss)."""
KEEPS_MARGIN = "covid_faq"


@dataclass(frozen=True)
class Mining:
    """How negatives are found, and what the teacher's values are."""

    encoder: Encoder
    negatives: int = 9
    margin: float = MARGIN
    teacher: str = "cosine"


def mined(source: Source, mining: Mining, draw: random.Random, *, limit: int) -> Iterator[dict[str, object]]:
    """At most *limit* lists of *source*, in random order."""
    learned = [question for question in source.questions if not weighs(question[0])]
    asked = draw.sample(learned, min(limit, len(learned)))
    passages = mining.encoder.encode_documents(source.passages)  # (m, dim)
    queries = mining.encoder.encode_queries([text for text, _ in asked])  # (n, dim)
    index = WordIndex(source.passages)
    for (text, answers), query in zip(asked, queries, strict=True):
        cosines, words = passages @ query, index.scores(text)  # (m,)
        positive = draw.choice(sorted(answers))
        copies = (passages @ passages[sorted(answers)].T).max(axis=1) > COPY  # (m,)
        found = _first(cosines, words, copies | (cosines >= mining.margin * cosines[positive]))
        if len(found) < mining.negatives:
            continue
        places = [positive, *draw.sample(found, mining.negatives)]
        taught = cosines if mining.teacher == "cosine" else _first_stage(cosines, words, [positive, *found])
        yield {
            "query": text,
            "positive": source.passages[positive],
            "negatives": [source.passages[place] for place in places[1:]],
            "teacher": [round(float(taught[place]), 4) for place in places],
        }


def _first_stage(
    cosines: NDArray[np.float32], words: NDArray[np.float64], candidates: list[int]
) -> NDArray[np.float64]:
    """What vectors and words say together of all passages (m,), within the bounds of a cosine."""
    parts = [(values - values[candidates].mean()) / (values[candidates].std() + 1e-9) for values in (cosines, words)]
    total: NDArray[np.float64] = np.clip(SHARE * (parts[0] + parts[1]), -1.0, 1.0)
    return total


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
    parser.add_argument("--margin", type=float, default=MARGIN)
    parser.add_argument("--teacher", choices=["cosine", "first-stage"], default="cosine")
    args = parser.parse_args()
    mining = Mining(load_encoder(args.encoder), args.negatives, args.margin, args.teacher)
    lists: list[dict[str, object]] = []
    for name, (read, limit) in SOURCES.items():
        draw = random.Random(f"{args.seed} {name}")
        careful = replace(mining, margin=min(mining.margin, MARGIN)) if name == KEEPS_MARGIN else mining
        found = mined(read(args.data, draw), careful, draw, limit=limit)
        rows = [{"set": name, **row} for row in found]
        print(f"{name}: {len(rows)} lists", flush=True)
        lists.extend(rows)
    random.Random(args.seed).shuffle(lists)
    with gzip.open(args.output, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in lists)


if __name__ == "__main__":
    main()
