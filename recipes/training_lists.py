"""Writes training lists for the built-in reranker from openly licensed sets: query, positive, hard negatives.

    python -m recipes.training_lists --data DIR --output FILE.jsonl.gz [--encoder NAME] [--negatives 9] [--seed 42]
        [--margin 0.95] [--teacher cosine]

A line is {"set", "query", "positive", "negatives", "teacher": [values, positive first]}. Passages start with their
title, as when served. `train pairs` uses some of the 9 negatives for training and all of them for evaluation. Negatives
come from the set's own passages: the nearest by the encoder's cosine and the best by BM25, as in a hybrid search, but
no duplicates of an answer, and none above --margin times the answer's cosine.

With a margin below 1, the cosine alone ranks every list correctly, and a reranker learns to repeat it. `--margin inf`
keeps the lists as a search returns them, where vectors or words rank some passages above the answer. covid_faq always
keeps the margin, because its agencies answer the same questions. The teacher's values are the encoder's cosines or,
with `--teacher first-stage`, the sum of standardised cosine and BM25 score. `sources` documents what is held out.
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

from recipes.bm25 import BM25Index
from recipes.sources import SOURCES, Source, is_for_fitting
from rerank.core.protocols import Encoder
from rerank.models.loading import load_encoder

NEAREST = 30
MARGIN = 0.95
DUPLICATE_COSINE = 0.97
FIRST_STAGE_SCALE = 0.1
"""Factor from standardised scores to the teacher's values, which training multiplies by 12."""
ALWAYS_WITH_MARGIN = "covid_faq"


@dataclass(frozen=True)
class Mining:
    """Options of the mining and of the teacher's values."""

    encoder: Encoder
    negatives: int = 9
    margin: float = MARGIN
    teacher: str = "cosine"


def mine_lists(source: Source, mining: Mining, draw: random.Random, *, limit: int) -> Iterator[dict[str, object]]:
    """Yields at most *limit* lists of *source* in random order."""
    for_training = [question for question in source.questions if not is_for_fitting(question[0])]
    questions = draw.sample(for_training, min(limit, len(for_training)))
    passages = mining.encoder.encode_documents(source.passages)  # (m, dim)
    queries = mining.encoder.encode_queries([text for text, _ in questions])  # (n, dim)
    index = BM25Index(source.passages)
    for (text, answers), query in zip(questions, queries, strict=True):
        cosines, bm25 = passages @ query, index.scores(text)  # (m,)
        positive = draw.choice(sorted(answers))
        duplicates = (passages @ passages[sorted(answers)].T).max(axis=1) > DUPLICATE_COSINE  # (m,)
        candidates = _nearest(cosines, bm25, duplicates | (cosines >= mining.margin * cosines[positive]))
        if len(candidates) < mining.negatives:
            continue
        rows = [positive, *draw.sample(candidates, mining.negatives)]
        teacher = cosines if mining.teacher == "cosine" else _first_stage(cosines, bm25, [positive, *candidates])
        yield {
            "query": text,
            "positive": source.passages[positive],
            "negatives": [source.passages[row] for row in rows[1:]],
            "teacher": [round(float(teacher[row]), 4) for row in rows],
        }


def _first_stage(cosines: NDArray[np.float32], bm25: NDArray[np.float64], candidates: list[int]) -> NDArray[np.float64]:
    """Returns the scaled sum of both scores, standardised over the candidates, for all passages (m,), -1 to 1."""
    parts = [(values - values[candidates].mean()) / (values[candidates].std() + 1e-9) for values in (cosines, bm25)]
    total: NDArray[np.float64] = np.clip(FIRST_STAGE_SCALE * (parts[0] + parts[1]), -1.0, 1.0)
    return total


def _nearest(cosines: NDArray[np.float32], bm25: NDArray[np.float64], excluded: NDArray[np.bool_]) -> list[int]:
    """Returns the NEAREST passages by each score that are not excluded."""
    by_cosine = np.argsort(-cosines, kind="stable")
    by_bm25 = np.argsort(-bm25, kind="stable")
    by_bm25 = by_bm25[bm25[by_bm25] > 0]
    nearest = [order[~excluded[order]][:NEAREST].tolist() for order in (by_cosine, by_bm25)]
    return list(dict.fromkeys(nearest[0] + nearest[1]))


def main() -> None:
    """Writes the lists of all sets, shuffled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
        of_set = replace(mining, margin=min(mining.margin, MARGIN)) if name == ALWAYS_WITH_MARGIN else mining
        rows = [{"set": name, **row} for row in mine_lists(read(args.data, draw), of_set, draw, limit=limit)]
        print(f"{name}: {len(rows)} lists", flush=True)
        lists.extend(rows)
    random.Random(args.seed).shuffle(lists)
    with gzip.open(args.output, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in lists)


if __name__ == "__main__":
    main()
