"""nDCG@10 against the float32 reference on the same candidates, and the speed of each configuration."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.speed.context import Context
from benchmarks.speed.result import Result
from rerank.core.document import Passage
from rerank.core.judgments import JudgedQuery, load_dataset
from rerank.core.protocols import Reranker
from rerank.core.ranking import RankingModel, rerank_or_fail
from rerank.core.search import Candidate
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.encoder import BiEncoder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE

_QUERIES = 40
_POOL = 1_200
_DEPTH = 50
_K = 10
_SEED = 4


@dataclass(frozen=True)
class JudgedCandidates:
    """Judged query with its candidates in first-stage order."""

    query: JudgedQuery
    candidates: tuple[Candidate, ...]

    def ndcg(self, doc_ids: Sequence[str]) -> float:
        """Returns nDCG@10 with linear gains, as ir_measures computes it."""
        judged = self.query.relevance
        gains = [judged.get(doc_id, 0) for doc_id in doc_ids[:_K]]
        ideal = sorted(judged.values(), reverse=True)[:_K]
        discounts = 1 / np.log2(np.arange(2, _K + 2))
        return float(np.dot(gains, discounts[: len(gains)]) / np.dot(ideal, discounts[: len(ideal)]))


@dataclass(frozen=True)
class Run:
    """Result of one configuration."""

    ndcg: float
    seconds: float
    scored: float


def sample_queries(dataset: Path) -> list[JudgedCandidates]:
    """Returns queries drawn with a fixed seed, with vector-search candidates among judged and other documents."""
    rng = np.random.default_rng(_SEED)
    chosen = load_dataset(dataset).sampled(_QUERIES, seed=_SEED).queries
    texts = _texts(dataset)
    judged = {doc_id for query in chosen for doc_id in query.relevance if doc_id in texts}
    others = [doc_id for doc_id in texts if doc_id not in judged]
    pool = [*judged, *rng.choice(others, min(_POOL, len(others)), replace=False).tolist()]
    encoder = BiEncoder.from_folder(resolve(DEFAULT, role="encoder"))
    cosines = (
        encoder.encode_queries([query.text for query in chosen])
        @ encoder.encode_documents([texts[doc_id] for doc_id in pool]).T
    )  # (queries, pool)
    return [JudgedCandidates(query, _candidates(row, pool, texts)) for query, row in zip(chosen, cosines, strict=True)]


def measure(context: Context) -> list[Result]:
    """Returns a result per configuration; the reference first."""
    judged_queries = sample_queries(context.dataset)
    folder = resolve(DEFAULT, role="reranker")
    fusion = folder.rerank.score_fusion

    def model(reranker: Reranker) -> RankingModel:
        return RankingModel(reranker, fusion)

    reference = _run(model(CrossEncoderReranker.from_folder(folder, runtime=TORCH_REFERENCE)), judged_queries)
    uncut = _run(model(CrossEncoderReranker.from_folder(folder)), judged_queries)
    first = float(np.mean([q.ndcg([c.doc_id for c in q.candidates]) for q in judged_queries]))
    how = f"{context.dataset.name}: {_QUERIES} queries, {_DEPTH} candidates, {folder.name}"
    results = [
        Result("nDCG@10, first stage", first, "", detail=how),
        Result("nDCG@10, float32", reference.ndcg, "", detail=how),
        _difference("auto", uncut, reference, reference, goal=-0.005),
    ]
    for tokens in (192, 128):
        cut = CrossEncoderReranker.from_folder(folder, passage_tokens=tokens)
        results.append(
            _difference(f"passage_tokens {tokens}", _run(model(cut), judged_queries), reference, uncut, goal=-0.005)
        )
    return results


def _run(model: RankingModel, judged_queries: Sequence[JudgedCandidates]) -> Run:
    values, scored = [], []
    started = time.perf_counter()
    for judged in judged_queries:
        ranking = rerank_or_fail(model, judged.query.text, judged.candidates)
        values.append(judged.ndcg([entry.candidate.doc_id for entry in ranking.ranked]))
        scored.append(ranking.report.scored)
    return Run(float(np.mean(values)), time.perf_counter() - started, float(np.mean(scored)))


def _difference(name: str, run: Run, reference: Run, uncut: Run, *, goal: float) -> Result:
    saved = f"{uncut.seconds / run.seconds:.2f}x as fast as whole passages; {run.scored:.0f} candidates scored"
    return Result.at_least(f"nDCG@10 - float32: {name}", run.ndcg - reference.ndcg, "", goal=goal, detail=saved)


def _candidates(cosines: np.ndarray, pool: Sequence[str], texts: dict[str, str]) -> tuple[Candidate, ...]:
    candidates = []
    for rank, i in enumerate(np.argsort(-cosines, kind="stable")[:_DEPTH].tolist(), start=1):
        passage = Passage(pool[i], 0, "", texts[pool[i]], 0, len(texts[pool[i]]))
        candidate = Candidate(passage, rank, float(cosines[i]), vector_rank=rank)
        candidates.append(replace(candidate, cosine=float(cosines[i])))
    return tuple(candidates)


def _texts(dataset: Path) -> dict[str, str]:
    with gzip.open(dataset / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return {record["_id"]: f"{record.get('title', '')} {record['text']}".strip() for record in records}
