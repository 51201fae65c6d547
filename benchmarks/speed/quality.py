"""nDCG@10 beside the float32 reference on the same candidates, and what each way of leaving work out saves."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.speed.context import Place
from benchmarks.speed.result import Line
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
class Question:
    """A judged query with its candidates, in first-stage order."""

    query: JudgedQuery
    candidates: tuple[Candidate, ...]

    def ndcg(self, doc_ids: Sequence[str]) -> float:
        """nDCG@10 with linear gains, as ir_measures has it."""
        judged = self.query.relevance
        gains = [judged.get(doc_id, 0) for doc_id in doc_ids[:_K]]
        ideal = sorted(judged.values(), reverse=True)[:_K]
        discounts = 1 / np.log2(np.arange(2, _K + 2))
        return float(np.dot(gains, discounts[: len(gains)]) / np.dot(ideal, discounts[: len(ideal)]))


@dataclass(frozen=True)
class Run:
    """What one way of reading made of the questions."""

    ndcg: float
    seconds: float
    scored: float


def questions(dataset: Path) -> list[Question]:
    """Drawn with a fixed seed: the judged documents and others, searched by vector with the built-in encoder."""
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
    return [Question(query, _candidates(row, pool, texts)) for query, row in zip(chosen, cosines, strict=True)]


def measure(place: Place) -> list[Line]:
    """One line a way of reading; the reference first."""
    asked = questions(place.dataset)
    folder = resolve(DEFAULT, role="reranker")
    said = folder.rerank.score_fusion

    def model(reranker: Reranker) -> RankingModel:
        return RankingModel(reranker, said)

    reference = _run(model(CrossEncoderReranker.from_folder(folder, runtime=TORCH_REFERENCE)), asked)
    whole = _run(model(CrossEncoderReranker.from_folder(folder)), asked)
    first = float(np.mean([q.ndcg([c.doc_id for c in q.candidates]) for q in asked]))
    how = f"{place.dataset.name}: {_QUERIES} queries, {_DEPTH} candidates, {folder.name}"
    lines = [
        Line("nDCG@10, first stage", first, "", detail=how),
        Line("nDCG@10, float32", reference.ndcg, "", detail=how),
        _price("as it comes", whole, reference, reference, goal=-0.005),
    ]
    for tokens in (192, 128):
        cut = CrossEncoderReranker.from_folder(folder, passage_tokens=tokens)
        lines.append(_price(f"passage_tokens {tokens}", _run(model(cut), asked), reference, whole, goal=-0.005))
    return lines


def _run(model: RankingModel, asked: Sequence[Question]) -> Run:
    values, scored = [], []
    begun = time.perf_counter()
    for question in asked:
        ranking = rerank_or_fail(model, question.query.text, question.candidates)
        values.append(question.ndcg([entry.candidate.doc_id for entry in ranking.ranked]))
        scored.append(ranking.report.scored)
    return Run(float(np.mean(values)), time.perf_counter() - begun, float(np.mean(scored)))


def _price(name: str, run: Run, reference: Run, whole: Run, *, goal: float) -> Line:
    saved = f"{whole.seconds / run.seconds:.2f}x as fast as all of it; read by the full model {run.scored:.0f}"
    return Line.at_least(f"nDCG@10 - float32: {name}", run.ndcg - reference.ndcg, "", goal=goal, detail=saved)


def _candidates(cosines: np.ndarray, pool: Sequence[str], texts: dict[str, str]) -> tuple[Candidate, ...]:
    found = []
    for rank, i in enumerate(np.argsort(-cosines, kind="stable")[:_DEPTH].tolist(), start=1):
        passage = Passage(pool[i], 0, "", texts[pool[i]], 0, len(texts[pool[i]]))
        candidate = Candidate(passage, rank, float(cosines[i]), vector_rank=rank)
        found.append(replace(candidate, cosine=float(cosines[i])))
    return tuple(found)


def _texts(dataset: Path) -> dict[str, str]:
    with gzip.open(dataset / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return {record["_id"]: f"{record.get('title', '')} {record['text']}".strip() for record in records}
