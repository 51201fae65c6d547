"""Quality of calibrated scores: fitted on half of a set's queries, measured on the other half and on unrelated queries.

    python -m benchmarks.calibration --data DIR --cache FOLDER [--queries 80] [--documents 5200] [--sets NAME ...]

The first call writes a file per set to FOLDER: judged queries that no model was trained on, and 20 queries of another
domain, each with 60 hybrid candidates (from a corpus of at most --documents) and their logits. The queries are split
randomly into halves. `models calibrate` is fitted on one half and measured on the other, both ways, for two splits.
Columns: nDCG@10 of the first stage, the cross-encoder alone, the default and the served fusion; calibration error
without calibration, with calibration, and of the first ten; number of the first ten hits that min_score (precision 0.5)
keeps, and the fraction of relevant ones among them; fraction of unrelated queries without a hit, and their mean number
of hits.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.development_sets import SETS, is_for_development
from recipes.bm25 import BM25Index
from recipes.sources import is_held_out, read_lines, with_title
from rerank.core.calibration import UNCALIBRATED, Calibration, probabilities
from rerank.core.document import Passage
from rerank.core.fusion import CROSS_ENCODER_ALONE, DEFAULT_FUSION, ScoreFusion, reciprocal_rank_fusion
from rerank.core.judging import JudgedCandidates, ndcg
from rerank.core.judgments import JudgedQuery, load_dataset
from rerank.core.protocols import Encoder
from rerank.core.ranking import RankingModel
from rerank.core.search import Candidate
from rerank.models.fitting.model_fit import fit, scored_list
from rerank.models.fitting.platt import ScoredList, calibration_error
from rerank.models.loading import load_encoder, load_ranking_model

UNRELATED_SETS = {
    "scifact": "hotpotqa_500",
    "squad_it": "scifact",
    "cisi": "scifact",
    "cacm": "scifact",
    "hotpotqa_500": "scifact",
    "vaswani_npl": "obliqa",
    "obliqa": "scifact",
}
"""For each set, a set of another domain whose queries it cannot answer."""
COLUMNS = (
    "first stage",
    "cross-encoder",
    "default",
    "served",
    "error before",
    "after",
    "first ten",
    "hits kept",
    "precision",
    "unrelated without hit",
    "hits of unrelated",
)
UNRELATED_QUERIES, DEPTH, CHARACTERS, SPLITS, PRECISION, K = 20, 60, 700, 2, 0.5, 10


def collect(name: str, data: Path, model: RankingModel, encoder: Encoder, sizes: argparse.Namespace) -> list[object]:
    """Returns the rows of one set's file: a query with the features of its candidates, in first-stage order."""
    draw = random.Random(f"s {name}")
    queries = [
        query for query in load_dataset(data / name, SETS[name]).queries if is_for_development(name, query, data)
    ]
    queries = draw.sample(queries, min(sizes.queries, len(queries)))
    corpus = {
        str(row["_id"]): with_title(str(row.get("title") or ""), str(row["text"]))[:CHARACTERS]
        for row in read_lines(data / name / "corpus.jsonl.gz")
        if name != "squad_it" or is_held_out(str(row["title"]))
    }
    judged = {doc_id for query in queries for doc_id in query.relevance if doc_id in corpus}
    others = [doc_id for doc_id in corpus if doc_id not in judged]
    ids = sorted(judged) + draw.sample(others, max(0, min(len(others), sizes.documents - len(judged))))
    texts = [corpus[doc_id] for doc_id in ids]
    vectors, words = encoder.encode_documents(texts), BM25Index(texts)
    cases = [(query.text, query.relevance, False) for query in queries]
    cases += [(text, {}, True) for text in _unrelated_queries(data / UNRELATED_SETS[name], name)]
    rows: list[object] = []
    for text, relevance, unrelated in cases:
        cosines, bm25 = vectors @ encoder.encode_queries([text])[0], words.scores(text)
        row = _row(cosines, bm25)
        positions = cast(list[int], row["positions"])
        relevant = [grade for doc_id, grade in relevance.items() if grade > 0 and doc_id in corpus]
        rows.append(
            {
                **{key: value for key, value in row.items() if key != "positions"},
                "unrelated": unrelated,
                "logit": model.reranker.score(text, [texts[position] for position in positions]).logits.tolist(),
                "query": text,
                "texts": [texts[position] for position in positions],
                "rel": [max(0, relevance.get(ids[position], 0)) for position in positions],
                "allrel": relevant,
            }
        )
    return rows


def _unrelated_queries(folder: Path, name: str) -> list[str]:
    rows = [str(row["text"])[:400] for row in read_lines(folder / "queries.jsonl.gz")]
    return random.Random(name).sample(rows, UNRELATED_QUERIES)


def _row(cosines: NDArray[np.float32], bm25: NDArray[np.float64]) -> dict[str, object]:
    by_vector = np.argsort(-cosines, kind="stable")[:DEPTH].tolist()
    by_words = [position for position in np.argsort(-bm25, kind="stable")[:DEPTH].tolist() if bm25[position] > 0]
    fused = reciprocal_rank_fusion([list(map(str, by_vector)), list(map(str, by_words))])
    positions = [
        int(position) for position in sorted(fused, key=lambda position: (-fused[position], int(position)))[:DEPTH]
    ]
    vector_ranks = {position: rank for rank, position in enumerate(by_vector, start=1)}
    text_ranks = {position: rank for rank, position in enumerate(by_words, start=1)}
    return {
        "positions": list(positions),
        "fs": [fused[str(position)] for position in positions],
        "cos": [float(cosines[position]) if position in vector_ranks else None for position in positions],
        "bm": [float(bm25[position]) if position in text_ranks else None for position in positions],
        "vr": [vector_ranks.get(position) for position in positions],
        "tr": [text_ranks.get(position) for position in positions],
    }


def read(file: Path) -> tuple[list[JudgedCandidates], list[JudgedCandidates]]:
    """Returns the judged and the unrelated queries of a set's file."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        rows = json.load(stream)
    return [_judged(row) for row in rows if not row["unrelated"]], [_judged(row) for row in rows if row["unrelated"]]


def _judged(row: dict[str, Any]) -> JudgedCandidates:
    columns = zip(row["texts"], row["fs"], row["vr"], row["tr"], row["cos"], row["bm"], strict=True)
    candidates = [
        Candidate(
            Passage(str(rank), 0, "", text, 0, len(text)), rank, score, vector_rank, text_rank, cosine, text_score
        )
        for rank, (text, score, vector_rank, text_rank, cosine, text_score) in enumerate(columns, start=1)
    ]
    relevant = np.array([grade for grade in row["allrel"] if grade > 0], dtype=np.int64)
    logits, grades = np.array(row["logit"], dtype=np.float32), np.array(row["rel"], dtype=np.int64)
    return JudgedCandidates(JudgedQuery("", row["query"], {}), candidates, logits, grades, relevant)


@dataclass(frozen=True)
class Predictions:
    """Probabilities and relevance of the candidates of several queries. top: candidates in their query's first ten."""

    probabilities: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    top: NDArray[np.bool_]

    @classmethod
    def of(cls, lists: Sequence[ScoredList], calibration: Calibration) -> Predictions:
        """Returns the probabilities by *calibration*."""
        predicted = [probabilities(calibration.log_odds(scored.scores, scored.known)) for scored in lists]
        top = [np.argsort(np.argsort(-scored.scores, kind="stable")) < K for scored in lists]
        return cls(
            np.concatenate(predicted), np.concatenate([scored.relevant for scored in lists]), np.concatenate(top)
        )


def evaluate_split(
    judged: Sequence[JudgedCandidates], unrelated: Sequence[JudgedCandidates], seed: int
) -> list[list[float]]:
    """Returns the metrics of both directions of one split, in the order of COLUMNS."""
    order = np.random.default_rng(seed).permutation(len(judged))
    parts = [[judged[int(i)] for i in part] for part in (order[::2], order[1::2])]
    return [_metrics(seen, unseen, unrelated) for seen, unseen in (parts, parts[::-1])]


def _metrics(
    seen: Sequence[JudgedCandidates], unseen: Sequence[JudgedCandidates], unrelated: Sequence[JudgedCandidates]
) -> list[float]:
    fitted = fit(seen, precision=PRECISION)
    lists = [scored_list(judged_query, fitted.fusion) for judged_query in unseen]
    raw, calibrated = Predictions.of(lists, UNCALIBRATED), Predictions.of(lists, fitted.calibration)
    cut = 1.0 if fitted.min_score is None else fitted.min_score
    kept_hits = calibrated.probabilities >= cut
    unrelated_probabilities = [
        Predictions.of([scored_list(judged_query, fitted.fusion)], fitted.calibration).probabilities
        for judged_query in unrelated
    ]
    return [
        float(np.mean([ndcg(np.zeros(len(judged_query.grades)), judged_query) for judged_query in unseen])),
        *(_mean_ndcg(unseen, fusion) for fusion in (CROSS_ENCODER_ALONE, DEFAULT_FUSION, fitted.fusion)),
        calibration_error(raw.probabilities, raw.relevant),
        calibration_error(calibrated.probabilities, calibrated.relevant),
        calibration_error(calibrated.probabilities[calibrated.top], calibrated.relevant[calibrated.top]),
        float((kept_hits & calibrated.top).sum() / len(unseen)),
        float(calibrated.relevant[kept_hits].mean()) if kept_hits.any() else float("nan"),
        float(np.mean([(values < cut).all() for values in unrelated_probabilities])),
        float(np.mean([(values >= cut).sum() for values in unrelated_probabilities])),
    ]


def _mean_ndcg(judged: Sequence[JudgedCandidates], fusion: ScoreFusion) -> float:
    return float(
        np.mean(
            [
                ndcg(fusion.fuse(judged_query.logits, judged_query.features).scores, judged_query)
                for judged_query in judged
            ]
        )
    )


def main() -> None:
    """Writes the missing files, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=80)
    parser.add_argument("--documents", type=int, default=5200)
    parser.add_argument("--model", default="default")
    parser.add_argument("--sets", nargs="+", choices=list(UNRELATED_SETS), default=list(UNRELATED_SETS))
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    files = {name: options.cache / f"{name}.json.gz" for name in options.sets}
    if missing := [name for name, file in files.items() if not file.exists()]:
        encoder, model = load_encoder("default"), load_ranking_model(options.model)
        for name in missing:
            rows = collect(name, options.data, model, encoder, options)
            with gzip.open(files[name], "wt", encoding="utf-8") as stream:
                json.dump(rows, stream)
    print(f"| set | queries | {' | '.join(COLUMNS)} |")
    print("|---" * 13 + "|")
    for name, file in files.items():
        judged, unrelated = read(file)
        metrics = np.nanmean([row for seed in range(SPLITS) for row in evaluate_split(judged, unrelated, seed)], axis=0)
        print(f"| {name} | {len(judged)} | " + " | ".join(f"{value:.4f}" for value in metrics) + " |", flush=True)


if __name__ == "__main__":
    main()
