"""Plan the batches: examples whose passages are hard negatives for one another, with the teachers' scores.

    python -m recipes.encoder.batches --examples examples.jsonl.gz [--base VECTORS [--english VECTORS ...]] --output DIR

A batch has one group (the languages of query and passage). It is made of clusters: an example, and the examples whose
passages the base encoder or BM25 ranks highest for its query. So hard negatives cost no further passage to encode.
Writes batches.jsonl.gz (queries, passages, gold) and scores.npz (one matrix a batch, in units of the base's cosine).
Without --base, BM25 alone chooses the negatives, and no scores are written.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.encoder.files import Row, write_rows
from recipes.encoder.pool import Pool
from recipes.encoder.vectors import read_vectors

Matrix = NDArray[np.float32]
_WORD = re.compile(r"\w+")
_STEM = 6
_MOST_FREQUENT = 0.05
"""Words in more than this fraction of the passages do not choose negatives."""


class Words:
    """BM25 over a list of passages."""

    def __init__(self, passages: Sequence[str]) -> None:
        counts = [Counter(stems(text)) for text in passages]
        self._lengths = np.array([sum(count.values()) for count in counts], dtype=np.float32)
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, count in enumerate(counts):
            for word, times in count.items():
                self._postings[word].append((place, times))

    def best(self, query: str, count: int) -> list[int]:
        """Returns the places of the *count* passages with the highest scores above 0."""
        total, mean = len(self._lengths), float(self._lengths.mean())
        scores: dict[int, float] = defaultdict(float)
        for word in set(stems(query)):
            found = self._postings.get(word, [])
            if not found or len(found) > max(10, _MOST_FREQUENT * total):
                continue
            idf = math.log(1 + (total - len(found) + 0.5) / (len(found) + 0.5))
            for place, times in found:
                scores[place] += idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * self._lengths[place] / mean))
        return sorted(scores, key=lambda place: -scores[place])[:count]


def stems(text: str) -> list[str]:
    """Returns the first letters of each word, in lower case."""
    return [word[:_STEM] for word in _WORD.findall(text.lower())]


class Group:
    """Examples of one group, and the hard negatives of each. *base*: the vectors of all queries and passages."""

    def __init__(self, pool: Pool, rows: Sequence[Row], base: tuple[Matrix, Matrix] | None) -> None:
        self.rows = list(rows)
        self._words = Words([row["passage"] for row in rows])
        self._base: tuple[Matrix, Matrix] | None = None
        if base:
            queries = base[0][[pool.queries[row["query"]] for row in rows]]
            self._base = queries, base[1][[pool.passages[row["passage"]] for row in rows]]

    def neighbours(self, number: int, *, near: int) -> list[int]:
        """Returns the numbers of the examples with the hardest passages for example *number*."""
        found = self._words.best(self.rows[number]["query"], near)
        if self._base:
            queries, passages = self._base
            by_vector = np.argsort(-(passages @ queries[number]))[: 4 * near].tolist()
            found = [place for pair in zip(by_vector, found + by_vector, strict=False) for place in pair]
        return [place for place in dict.fromkeys(found) if place != number]

    def batches(self, draw: random.Random, *, size: int, cluster: int) -> list[list[Row]]:
        """Returns every example once, in batches of *size* made of clusters."""
        left = list(range(len(self.rows)))
        draw.shuffle(left)
        free = set(left)
        clusters: list[list[int]] = []
        for number in left:
            if number not in free:
                continue
            free.discard(number)
            own = [number]
            for near in self.neighbours(number, near=8):
                if len(own) == cluster:
                    break
                if near in free:
                    free.discard(near)
                    own.append(near)
            clusters.append(own)
        draw.shuffle(clusters)
        order = [number for own in clusters for number in own]
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        return [[self.rows[number] for number in part] for part in parts if len(part) == size]


def planned(rows: Sequence[Row]) -> Row:
    """Returns a batch: different queries and passages, and the gold passages of each query."""
    queries: dict[str, int] = {}
    passages: dict[str, int] = {}
    gold: dict[int, set[int]] = defaultdict(set)
    twins: dict[int, str] = {}
    for row in rows:
        number = queries.setdefault(row["query"], len(queries))
        gold[number].add(passages.setdefault(row["passage"], len(passages)))
        twins[number] = row.get("twin") or row["query"]
    return {
        "group": rows[0]["group"],
        "queries": list(queries),
        "passages": list(passages),
        "gold": [sorted(gold[number]) for number in range(len(queries))],
        "twins": [twins[number] for number in range(len(queries))],
    }


class Teachers:
    """The base encoder's vectors, and those of the teachers for English."""

    def __init__(self, pool: Pool, base: Path, english: Sequence[Path]) -> None:
        self._pool = pool
        self.base = (read_vectors(base, "query", pool), read_vectors(base, "passage", pool))
        self._english = [(read_vectors(path, "query", pool), read_vectors(path, "passage", pool)) for path in english]
        self._scales: list[float] = []

    def cosines(self, batch: Row) -> list[Matrix]:
        """Returns the cosines of each teacher that knows the batch's languages, the base first."""
        places = [self._pool.passages[text] for text in batch["passages"]]
        own = [self._pool.queries[text] for text in batch["queries"]]
        twins = [self._pool.queries[text] for text in batch["twins"]]
        found = [self.base[0][own] @ self.base[1][places].T]
        if batch["group"] in ("en", "it-en"):
            # The English twin of an Italian query gives the base encoder's score too.
            found[0] = self.base[0][twins] @ self.base[1][places].T
            found += [queries[twins] @ passages[places].T for queries, passages in self._english]
        return found

    def calibrate(self, batches: Sequence[Row]) -> None:
        """Finds how the cosines of each teacher spread within a query, on English batches."""
        spreads = [
            [float(np.nanmean(cosines.std(axis=1))) for cosines in self.cosines(batch)]
            for batch in batches
            if batch["group"] == "en"
        ]
        means = np.mean(spreads, axis=0)
        self._scales = [float(means[0] / value) for value in means]
        print("spread of the teachers' cosines:", [round(float(value), 4) for value in means], flush=True)

    def scores(self, batch: Row) -> Matrix:
        """Returns the mean of the teachers' cosines, each centred and with the spread of the base's."""
        found = self.cosines(batch)
        centred = [
            (cosines - cosines.mean(axis=1, keepdims=True)) * scale
            for cosines, scale in zip(found, self._scales, strict=False)
        ]
        return np.asarray(np.mean(centred, axis=0), dtype=np.float32)


def interleaved(groups: dict[str, list[list[Row]]], draw: random.Random) -> list[list[Row]]:
    """Returns the batches of all groups, each group spread evenly over the whole course."""
    keyed = [
        ((place + draw.random()) / len(batches), batch)
        for batches in groups.values()
        for place, batch in enumerate(batches)
    ]
    return [batch for _, batch in sorted(keyed, key=lambda pair: pair[0])]


def main() -> None:
    """Writes the batches and their scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="Vectors of the encoder that is tuned.")
    parser.add_argument("--english", type=Path, nargs="*", default=[], help="Vectors of further teachers for English.")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64, help="Examples of a batch.")
    parser.add_argument("--cluster", type=int, default=4, help="Examples of a cluster.")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    pool = Pool.read(args.examples)
    teachers = Teachers(pool, args.base, args.english) if args.base else None
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in pool.examples:
        rows[row["group"]].append(row)
    groups = {
        name: Group(pool, own, teachers.base if teachers else None).batches(draw, size=args.size, cluster=args.cluster)
        for name, own in sorted(rows.items())
    }
    batches = [planned(batch) for batch in interleaved(groups, draw)]
    args.output.mkdir(parents=True, exist_ok=True)
    print(json.dumps({name: len(own) for name, own in groups.items()}), flush=True)
    if teachers:
        write_scores(args.output / "scores.npz", batches, teachers)
    write_rows(args.output / "batches.jsonl.gz", batches)


def write_scores(path: Path, batches: Sequence[Row], teachers: Teachers) -> None:
    """Writes the teachers' scores, and prints how often they rank a gold passage first."""
    teachers.calibrate(batches)
    scores = [teachers.scores(batch) for batch in batches]
    np.savez_compressed(path, **{str(number): matrix.astype(np.float16) for number, matrix in enumerate(scores)})  # type: ignore[arg-type]
    right: dict[str, list[float]] = defaultdict(list)
    for batch, matrix in zip(batches, scores, strict=True):
        best = matrix.argmax(axis=1).tolist()
        right[batch["group"]] += [float(place in gold) for place, gold in zip(best, batch["gold"], strict=True)]
    for group, values in right.items():
        print(f"{group}: the teachers rank a gold passage first for {np.mean(values):.3f} of the queries", flush=True)


if __name__ == "__main__":
    main()
