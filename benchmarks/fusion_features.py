"""Quality of the features that a fusion sums: cosine, word overlap, text score and logit, on small development sets.

    python -m benchmarks.fusion_features --data DIR --cache FOLDER [--queries 36] [--documents 1300] [--logits]
        [--weights COSINE LEXICAL SHARE LOGIT ...] [--sets NAME ...]

The first call writes a file per set to FOLDER: judged queries that no model was trained on, and the best 50 candidates
of hybrid, text (BM25) and vector search. The corpus is cut to the documents judged for these queries and random others.
--logits adds the logits of the built-in reranker, which takes longer. FOLDER keeps its samples: remove a file to sample
the set again.

Prints a table per first stage: nDCG@10 by the order of the first stage, by the cosine, by the lexical overlap, by the
fusion that ships without and with the logit, and by each --weights. Each value is followed by its difference from the
first stage, with a 95% interval. With --logits, the last column is the calibration error of the fused score. Small
corpora give higher values than whole ones: compare differences only.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import Predictions
from benchmarks.small_sets import READERS, SearchSet, cut
from recipes.bm25 import BM25Index
from rerank.core.document import Passage
from rerank.core.features import Feature
from rerank.core.fusion import ScoreFusion, reciprocal_rank_fusion
from rerank.core.intervals import Interval, mean_difference_over_sets, paired_difference
from rerank.core.judging import JudgedCandidates, ndcg
from rerank.core.judgments import JudgedQuery
from rerank.core.protocols import Encoder
from rerank.core.ranking import RankingModel
from rerank.core.search import Candidate
from rerank.core.setting_types import Mode
from rerank.models.fitting.model_fit import scored_list
from rerank.models.fitting.platt import calibration_error
from rerank.models.loading import load_encoder, load_ranking_model

RETRIEVED, DEPTH = 100, 50
"""Number of candidates of each search before and after rank fusion."""


@dataclass(frozen=True)
class CachedQuery:
    """Query with the candidates of all first stages.

    texts, grades, cosines, bm25: one per candidate. logits: one per candidate, or empty if not computed. relevant: all
    grades above 0 in the corpus. orders: positions of each first stage's candidates, in its order.
    """

    text: str
    relevant: list[int]
    texts: list[str]
    grades: list[int]
    cosines: list[float]
    bm25: list[float]
    orders: dict[Mode, list[int]]
    logits: list[float]

    def judged(self, first_stage: Mode) -> JudgedCandidates:
        """Returns the candidates of *first_stage* with their features. Without logits, the logits are 0."""
        positions = self.orders[first_stage]
        logits = self.logits or [0.0] * len(self.texts)
        return JudgedCandidates(
            JudgedQuery("", self.text, {}),
            [self._candidate(position, rank, first_stage) for rank, position in enumerate(positions, start=1)],
            np.array(logits, dtype=np.float32)[positions],
            np.array(self.grades, dtype=np.int64)[positions],
            np.array(self.relevant, dtype=np.int64),
        )

    def _candidate(self, position: int, rank: int, first_stage: Mode) -> Candidate:
        """Returns a candidate with its cosine from any first stage, as a rerank call computes it."""
        text = self.texts[position]
        return Candidate(
            Passage(str(position), 0, "", text, 0, len(text)),
            rank,
            retrieval_score=1.0 / rank,
            vector_rank=None if first_stage == "text" else rank,
            text_rank=None if first_stage == "vector" else rank,
            cosine=self.cosines[position],
            text_score=None if first_stage == "vector" else self.bm25[position],
        )


def collect(searched: SearchSet, encoder: Encoder) -> list[CachedQuery]:
    """Returns the candidates of each query, without queries of which the corpus has no word."""
    texts = list(searched.corpus.values())
    vectors, index = encoder.encode_documents(texts), BM25Index(texts)
    query_vectors = encoder.encode_queries([query.text for query in searched.queries])
    cached = []
    for query, vector in zip(searched.queries, query_vectors, strict=True):
        cosines, bm25 = (
            encoder.cosine_scale.to_reference((vectors @ vector).astype(np.float64)),
            index.scores(query.text),
        )
        if not bm25.any():
            continue
        rows_by_stage = _first_stages(cosines, bm25)
        rows = list(dict.fromkeys(row for stage in rows_by_stage.values() for row in stage))
        positions = {row: position for position, row in enumerate(rows)}
        grades = [max(0, query.relevance.get(doc_id, 0)) for doc_id in searched.corpus]
        cached.append(
            CachedQuery(
                text=query.text,
                relevant=[grade for grade in grades if grade],
                texts=[texts[row] for row in rows],
                grades=[grades[row] for row in rows],
                cosines=cosines[rows].tolist(),
                bm25=bm25[rows].tolist(),
                orders={name: [positions[row] for row in stage] for name, stage in rows_by_stage.items()},
                logits=[],
            )
        )
    return cached


def _first_stages(cosines: NDArray[np.float64], bm25: NDArray[np.float64]) -> dict[Mode, list[int]]:
    """Returns the rows of the best candidates by each first stage, best first."""
    by_vector, by_words = (np.argsort(-scores, kind="stable")[:RETRIEVED].tolist() for scores in (cosines, bm25))
    by_words = [row for row in by_words if bm25[row] > 0]
    fused = reciprocal_rank_fusion([[str(row) for row in order] for order in (by_vector, by_words)])
    hybrid = sorted(fused, key=lambda row: (-fused[row], int(row)))
    return {"hybrid": [int(row) for row in hybrid[:DEPTH]], "text": by_words[:DEPTH], "vector": by_vector[:DEPTH]}


def with_logits(query: CachedQuery, model: RankingModel) -> CachedQuery:
    """Returns the query with the logits of all its candidates."""
    return replace(query, logits=model.reranker.score(query.text, query.texts).logits.tolist())


@dataclass(frozen=True)
class Ranking:
    """Order of candidates by a sum of features. No weights: the order of the first stage."""

    label: str
    fusion: ScoreFusion
    has_logit: bool = False

    def ndcg(self, queries: Sequence[JudgedCandidates]) -> NDArray[np.float64]:
        """Returns nDCG@10 of each query, float64 (queries,)."""
        return np.array([ndcg(self._scores(judged), judged) for judged in queries])

    def _scores(self, judged: JudgedCandidates) -> NDArray[np.float64]:
        if self.has_logit:
            return self.fusion.fuse(judged.logits, judged.features).scores
        scores = self.fusion.first_stage_scores(judged.features)
        return np.zeros(len(judged.grades)) if scores is None else scores


def weighted(cosine: float, lexical: float, share: float, logit: float) -> Ranking:
    """Returns the ranking by a sum with these weights."""
    weights: dict[Feature, float] = {"cosine": cosine, "lexical": lexical, "score_share": share}
    fusion = ScoreFusion(weights)
    label = f"{cosine:g} cosine + {lexical:g} lexical + {share:g} share"
    # ScoreFusion gives the logit the weight 1, and only the ratio of the weights decides the order.
    return Ranking(f"{label} + {logit:g} logit", fusion.scaled(1 / logit), True) if logit else Ranking(label, fusion)


def table(sets: Mapping[str, Sequence[JudgedCandidates]], model: RankingModel, rankings: Sequence[Ranking]) -> str:
    """Returns the table of one first stage: a row per set, followed by the mean."""
    has_logits = any(ranking.has_logit for ranking in rankings)
    header = ["set", "queries", *(ranking.label for ranking in rankings), *["calibration error"] * has_logits]
    lines = [header, ["---"] * len(header)]
    values = {name: [ranking.ndcg(judged) for ranking in rankings] for name, judged in sets.items()}
    for name, (base, *of_others) in values.items():
        cells = [_cell(of_ranking.mean(), paired_difference(of_ranking, base)) for of_ranking in of_others]
        error = [f"{_calibration_error(model, sets[name]):.4f}"] * has_logits
        lines.append([name, str(len(base)), f"{base.mean():.4f}", *cells, *error])
    means = np.mean([[of_ranking.mean() for of_ranking in of_set] for of_set in values.values()], axis=0)
    pairs = [[(of_set[number], of_set[0]) for of_set in values.values()] for number in range(1, len(rankings))]
    cells = [_cell(mean, mean_difference_over_sets(pair)) for mean, pair in zip(means[1:], pairs, strict=True)]
    lines.append(["**mean**", "", f"{means[0]:.4f}", *cells, *[""] * has_logits])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(mean: float, difference: Interval) -> str:
    return f"{mean:.4f}, {difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


def _calibration_error(model: RankingModel, queries: Sequence[JudgedCandidates]) -> float:
    lists = [scored_list(judged, model.fusion) for judged in queries]
    predicted = Predictions.of(lists, model.calibration)
    return calibration_error(predicted.probabilities, predicted.relevant)


def _prepare(options: argparse.Namespace, model: RankingModel) -> dict[str, list[CachedQuery]]:
    """Returns the queries of each set, and writes the missing files and logits."""
    encoder: Encoder | None = None
    cached = {}
    for name in options.sets:
        file = options.cache / f"{name}.json.gz"
        if file.exists():
            queries = _read(file)
        else:
            encoder = encoder or load_encoder("default")
            queries = collect(cut(READERS[name](options.data, options.queries), options.documents), encoder)
            _write(file, queries)
        if options.logits and not all(query.logits for query in queries):
            queries = [with_logits(query, model) for query in queries]
            _write(file, queries)
        cached[name] = queries
    return cached


def _read(file: Path) -> list[CachedQuery]:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return [CachedQuery(**row) for row in json.load(stream)]


def _write(file: Path, queries: Sequence[CachedQuery]) -> None:
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        json.dump([asdict(query) for query in queries], stream)


def main() -> None:
    """Writes the missing files, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=36)
    parser.add_argument("--documents", type=int, default=1300)
    parser.add_argument("--logits", action="store_true")
    parser.add_argument(
        "--weights",
        type=float,
        nargs=4,
        action="append",
        default=[],
        metavar=("COSINE", "LEXICAL", "SHARE", "LOGIT"),
        help="weights of a further sum; can be repeated; a weight for the logit needs --logits",
    )
    parser.add_argument("--sets", nargs="+", choices=list(READERS), default=list(READERS))
    options = parser.parse_args()
    if not options.logits and any(weights[3] for weights in options.weights):
        parser.error("the logit's weight in --weights must be 0 without --logits. Add --logits")
    options.cache.mkdir(parents=True, exist_ok=True)
    model = load_ranking_model("default")
    rankings = [
        Ranking("first stage", ScoreFusion({})),
        Ranking("cosine", ScoreFusion({"cosine": 1.0})),
        Ranking("lexical", ScoreFusion({"lexical": 1.0})),
        Ranking("fusion without logit", model.fusion),
        *([Ranking("fusion", model.fusion, True)] if options.logits else []),
        *(weighted(*weights) for weights in options.weights),
    ]
    cached = _prepare(options, model)
    for first_stage in get_args(Mode):
        sets = {name: [query.judged(first_stage) for query in queries] for name, queries in cached.items()}
        print(f"\n{first_stage} candidates\n\n{table(sets, model, rankings)}")


if __name__ == "__main__":
    main()
