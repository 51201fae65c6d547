"""Quick quality check of a reranker on samples of sets it was not trained on, to choose a checkpoint.

    python -m benchmarks.development_sets --data DIR --cache FILE.json.gz [--queries 30] [--candidates 50]
                                          [--documents 1500] [--characters N] [MODEL …]

The first call creates the cache: some judged queries of each set, a part of the corpus (all judged documents of these
queries and random others), and the hybrid candidates. Prints nDCG@10 of vector search, of the first stage and, for each
MODEL (a folder or a name), of the fused ranking with several weights of the first stage. --candidates and --characters
reduce the work. Small corpora give higher values than whole sets; compare differences only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.bm25 import BM25Index
from recipes.sources import is_for_training, is_held_out, read_lines, with_title
from rerank.core.features import FirstStageFeatures
from rerank.core.fusion import ScoreFusion, reciprocal_rank_fusion
from rerank.core.judgments import JudgedQuery, load_dataset
from rerank.core.protocols import Encoder
from rerank.core.ranking import RankingModel
from rerank.models.loading import load_encoder, load_ranking_model

SETS = {
    "cisi": None,
    "cacm": None,
    "vaswani_npl": None,
    "obliqa": "test",
    "hotpotqa_500": None,
    "scifact": "train",
    "squad_it": "dev",
}
"""Split of each set. Of scifact and squad_it, only held-out queries are used."""
HELD_OUT_IN_ENGLISH = frozenset(
    {"Martin Luther", "Newcastle upon Tyne", "Prime number", "Rhine", "Sky (United Kingdom)"}
)
"""English titles, as in xquad_en, of the held-out articles of squad_it."""
WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""First-stage weights of the fusion: 0 is the cross-encoder alone, 1 the default without a fit."""


@dataclass(frozen=True)
class CachedQuery:
    """Query with the texts, first-stage scores and grades of its candidates, in first-stage order.

    vector: grades in the order of vector search. relevant: all grades above 0 in the corpus.
    """

    text: str
    passages: list[str]
    scores: list[float]
    grades: list[int]
    vector: list[int]
    relevant: list[int]


def ndcg(grades: Sequence[int], relevant: Sequence[int]) -> float:
    """Returns nDCG@10 of ranked *grades*, given all *relevant* grades."""
    ideal = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(sorted(relevant, reverse=True)[:10], start=1))
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades[:10], start=1)) / ideal


def sample_set(name: str, data: Path, encoder: Encoder, sizes: argparse.Namespace) -> list[CachedQuery]:
    """Returns the cached queries of one set."""
    draw = random.Random(f"7 {name}")
    queries = [
        query for query in load_dataset(data / name, SETS[name]).queries if is_for_development(name, query, data)
    ]
    queries = draw.sample(queries, min(sizes.queries, len(queries)))
    corpus = {
        str(row["_id"]): with_title(str(row.get("title") or ""), str(row["text"]))
        for row in read_lines(data / name / "corpus.jsonl.gz")
        if name != "squad_it" or is_held_out(str(row["title"]))
    }
    judged = {doc_id for query in queries for doc_id in query.relevance if doc_id in corpus}
    others = [doc_id for doc_id in corpus if doc_id not in judged]
    ids = sorted(judged) + draw.sample(others, min(len(others), max(0, sizes.documents - len(judged))))
    texts = [corpus[doc_id] for doc_id in ids]
    vectors = encoder.encode_documents(texts)
    words = BM25Index(texts)
    query_vectors = encoder.encode_queries([query.text for query in queries])
    return [
        _cached_query(query, ids, texts, (vectors @ vector, words.scores(query.text)), sizes.candidates)
        for query, vector in zip(queries, query_vectors, strict=True)
        if any(query.relevance.get(doc_id, 0) > 0 for doc_id in ids)
    ]


def _cached_query(
    query: JudgedQuery,
    ids: Sequence[str],
    texts: Sequence[str],
    scores: tuple[NDArray[np.float32], NDArray[np.float64]],
    candidates: int,
) -> CachedQuery:
    by_vector, by_words = (np.argsort(-values, kind="stable")[:candidates].tolist() for values in scores)
    by_words = [row for row in by_words if scores[1][row] > 0]
    fused = reciprocal_rank_fusion([[str(row) for row in by_vector], [str(row) for row in by_words]])
    order = sorted(fused, key=lambda row: (-fused[row], int(row)))[:candidates]
    rows = [int(row) for row in order]
    grade = [max(0, query.relevance.get(doc_id, 0)) for doc_id in ids]
    return CachedQuery(
        text=query.text,
        passages=[texts[row] for row in rows],
        scores=[fused[row] for row in order],
        grades=[grade[row] for row in rows],
        vector=[grade[row] for row in by_vector],
        relevant=[value for value in grade if value > 0],
    )


def evaluate_model(model: RankingModel, queries: Sequence[CachedQuery]) -> list[float]:
    """Returns the mean nDCG@10 with each of WEIGHTS."""
    values = []
    for query in queries:
        logits = model.reranker.score(query.text, query.passages).logits
        shares = np.array(query.scores) / max(query.scores)
        first_stage = FirstStageFeatures({"score_share": shares})
        unit = float(logits.std() / shares.std()) if shares.std() else 0.0
        orders = [ScoreFusion({"score_share": weight * unit}).fuse(logits, first_stage).scores for weight in WEIGHTS]
        values.append([_ndcg_of_scores(scores, query) for scores in orders])
    return [float(value) for value in np.mean(values, axis=0)]


def _ndcg_of_scores(scores: NDArray[np.float64], query: CachedQuery) -> float:
    order = np.argsort(-scores, kind="stable")
    return ndcg([query.grades[row] for row in order], query.relevant)


def shorten(query: CachedQuery, *, candidates: int, characters: int) -> CachedQuery:
    """Returns the query with its first *candidates*, each cut to *characters*."""
    return replace(
        query,
        passages=[text[:characters] for text in query.passages[:candidates]],
        scores=query.scores[:candidates],
        grades=query.grades[:candidates],
    )


def is_for_development(name: str, query: JudgedQuery, data: Path) -> bool:
    """Returns True if no model was trained on *query* of the set *name*, in any language."""
    match name:
        case "scifact":
            return not is_for_training(query.query_id)
        case "squad_it":
            return query.query_id in _italian(data)
        case "xquad_en":
            return not query.relevance.keys().isdisjoint(_held_out_english(data))
    return True


@cache
def _italian(data: Path) -> frozenset[str]:
    rows = read_lines(data / "squad_it" / "queries.jsonl.gz")
    return frozenset(str(row["_id"]) for row in rows if is_held_out(str(row["article"])))


@cache
def _held_out_english(data: Path) -> frozenset[str]:
    """Returns the paragraphs of xquad_en whose articles are held out in squad_it."""
    rows = read_lines(data / "squad_pieces" / "xquad_en" / "corpus.jsonl.gz")
    return frozenset(str(row["_id"]) for row in rows if row["title"] in HELD_OUT_IN_ENGLISH)


def _row(name: str, values: Sequence[float]) -> str:
    return f"{name:44}" + "".join(f"{value:9.3f}" for value in (*values, float(np.mean(values))))


def report(cache: Mapping[str, Sequence[CachedQuery]], models: Sequence[str]) -> None:
    """Prints a row per ranking with a column per set, followed by their mean."""
    print(f"{'nDCG@10':44}" + "".join(f"{name[:8]:>9}" for name in (*cache, "mean")))
    print(_row("vector", [float(np.mean([ndcg(q.vector, q.relevant) for q in qs])) for qs in cache.values()]))
    print(_row("hybrid", [float(np.mean([ndcg(q.grades, q.relevant) for q in qs])) for qs in cache.values()]))
    for name in models:
        model = load_ranking_model(name)
        values_by_set = np.array([evaluate_model(model, queries) for queries in cache.values()])  # (sets, weights)
        for weight, values in zip(WEIGHTS, values_by_set.T.tolist(), strict=True):
            print(_row(f"{name[-32:]} x {weight:g}", values), flush=True)


def main() -> None:
    """Creates the cache if it is missing, and evaluates the models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--candidates", type=int, default=50)
    parser.add_argument("--documents", type=int, default=1500)
    parser.add_argument("--characters", type=int, default=100_000)
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    if not args.cache.exists():
        encoder = load_encoder("default")
        cached = {name: [asdict(query) for query in sample_set(name, args.data, encoder, args)] for name in SETS}
        with gzip.open(args.cache, "wt", encoding="utf-8") as out:
            json.dump(cached, out)
    with gzip.open(args.cache, "rt", encoding="utf-8") as file:
        cache = {name: [CachedQuery(**row) for row in rows] for name, rows in json.load(file).items()}
    report(
        {
            name: [shorten(query, candidates=args.candidates, characters=args.characters) for query in queries]
            for name, queries in cache.items()
        },
        args.models,
    )


if __name__ == "__main__":
    main()
