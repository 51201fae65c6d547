"""Hard negatives from a live index: near the query, but unlikely to answer it.

Candidates above 95% of the positive's cosine, or of its probability by a teacher, are skipped. Moreira et al.:
NV-Retriever: Improving text embedding models with effective hard-negative mining, 2024 (TopK-PercPos).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import TrainingDataError
from rerank.core.fusion import sigmoid
from rerank.core.protocols import Encoder, Index
from rerank.core.retrieval import RetrievalOptions, Retriever
from rerank.core.search import Candidate
from rerank.core.setting_types import Mode
from rerank.models.training.data.json_lines import Row
from rerank.models.training.data.negatives import MAX_POSITIVES
from rerank.models.training.data.ranking_lists import LabelledQuery, TrainingData
from rerank.models.training.data.resumable_json_lines import ResumableJsonLines
from rerank.models.training.data.teacher_scores import ListTeacher
from rerank.models.training.options import ReportPreparation

_CHUNK = 256
_THREADS = 4
_OVERSAMPLING = 2
"""Number of candidates to draw per negative, because some of them are answers."""


Retrieve = Callable[[str, NDArray[np.float32]], Sequence[Candidate]]
"""Function that returns the first-stage candidates of a query and its vector (dim,). Threads call it concurrently."""


@dataclass(frozen=True, kw_only=True)
class MiningOptions:
    """Options of the mining.

    count: number of negatives per positive. mode and depth: search mode and number of first-stage candidates to draw
    from. margin: candidates above this fraction of the positive's cosine, or of its probability by the teacher, are
    skipped.
    """

    count: int = 9
    mode: Mode = "hybrid"
    depth: int = 60
    margin: float = 0.95
    seed: int = 42
    teacher: ListTeacher | None = None
    on_preparation: ReportPreparation | None = None

    def parameters(self) -> dict[str, object]:
        """Returns everything that determines the negatives, as JSON values."""
        teacher = None if self.teacher is None else self.teacher.fingerprint
        values = {name: getattr(self, name) for name in ("count", "mode", "depth", "margin", "seed")}
        return {**values, "teacher": teacher}


@contextmanager
def retrieval(index: Index, options: MiningOptions) -> Iterator[Retrieve]:
    """Yields the first stage of *index*, whose vectors are those of the miner's encoder."""
    search = RetrievalOptions(options.mode, options.depth)
    with closing(Retriever(threads=_THREADS)) as retriever:
        yield lambda query, vector: retriever.candidates(index, query, vector, search)


@dataclass(frozen=True)
class NegativeMiner:
    """Miner of hard negatives among the candidates that *retrieve* returns."""

    retrieve: Retrieve
    encoder: Encoder
    options: MiningOptions = field(default_factory=MiningOptions)

    def mine(self, data: TrainingData, lines: ResumableJsonLines) -> None:
        """Writes a line of {"query", "positive", "label", "negatives", "teacher"} for each positive of *data*.

        Takes at most MAX_POSITIVES per query. `teacher` has the encoder's cosines. A positive for which the index has
        no negative is skipped. Resumes after an interruption. Raises TrainingDataError if no query is labelled,
        TrainingFailed if the file cannot be written, and the errors of the index.
        """
        if not data.labelled:
            raise TrainingDataError("Mining needs labelled queries; lists already have negatives.")
        if lines.is_complete():
            return
        done = lines.start()
        lines.append(
            self._rows([labelled_query for labelled_query in data.labelled if labelled_query.query not in done])
        )

    def _rows(self, labelled: Sequence[LabelledQuery]) -> Iterator[Sequence[Row]]:
        with ThreadPoolExecutor(_THREADS) as threads:
            for start in range(0, len(labelled), _CHUNK):
                chunk = labelled[start : start + _CHUNK]
                vectors = self.encoder.encode_queries([labelled_query.query for labelled_query in chunk])
                candidates = list(threads.map(self.retrieve, [query.query for query in chunk], vectors))
                samples = [self._draw(*each) for each in zip(chunk, candidates, strict=True)]
                cosines = self._cosines(samples, vectors)
                for sample in samples:
                    yield [row for each in sample.positives if (row := self._row(sample, each, cosines))]
                if self.options.on_preparation:
                    self.options.on_preparation("queries mined", start + len(chunk), len(labelled))

    def _draw(self, labelled: LabelledQuery, candidates: Sequence[Candidate]) -> _Sample:
        """Draws positives, labelled negatives, and candidates that neither repeat nor contain an answer.

        The draw depends on seed and query only, so that a resumed run draws the same.
        """
        draw = random.Random(f"{self.options.seed} {labelled.query}")
        positives = draw.sample(list(labelled.relevant), min(MAX_POSITIVES, len(labelled.relevant)))
        answers = [_normalize_spaces(text) for text in labelled.relevant]
        unlabelled: dict[str, float | None] = {}
        for candidate in candidates:
            text = candidate.passage.headed_text
            body, headed = _normalize_spaces(candidate.passage.text), _normalize_spaces(text)
            if not any(body in answer or answer in headed for answer in answers):
                unlabelled.setdefault(text, candidate.cosine)
        irrelevant = draw.sample(list(labelled.irrelevant), min(self.options.count, len(labelled.irrelevant)))
        texts = draw.sample(list(unlabelled), min(_OVERSAMPLING * self.options.count, len(unlabelled)))
        drawn = {text: unlabelled[text] for text in texts if text not in irrelevant}
        return _Sample(labelled, positives, irrelevant, drawn)

    def _cosines(self, samples: Sequence[_Sample], queries: NDArray[np.float32]) -> dict[tuple[str, str], float]:
        """Returns the cosine of each query with its texts. The index returns those of a vector search."""
        missing = [
            (row, text)
            for row, sample in enumerate(samples)
            for text in (
                *sample.positives,
                *sample.irrelevant,
                *(text for text, cosine in sample.candidates.items() if cosine is None),
            )
        ]
        texts = list(dict.fromkeys(text for _, text in missing))
        vectors = dict(zip(texts, self.encoder.encode_documents(texts), strict=True))
        cosines = {(samples[row].labelled.query, text): float(queries[row] @ vectors[text]) for row, text in missing}
        for sample in samples:
            known = {
                (sample.labelled.query, text): value for text, value in sample.candidates.items() if value is not None
            }
            cosines.update(known)
        return cosines

    def _row(self, sample: _Sample, positive: str, cosines: Mapping[tuple[str, str], float]) -> Row | None:
        query = sample.labelled.query
        hard = self._below_margin(query, positive, list(sample.candidates), cosines)
        negatives = [*sample.irrelevant, *hard][: self.options.count]
        if not negatives:
            return None
        return {
            "query": query,
            "positive": positive,
            "label": sample.labelled.relevant[positive],
            "negatives": negatives,
            "teacher": [round(cosines[query, text], 4) for text in (positive, *negatives)],
        }

    def _below_margin(
        self, query: str, positive: str, candidates: Sequence[str], cosines: Mapping[tuple[str, str], float]
    ) -> list[str]:
        if not candidates:
            return []
        if self.options.teacher is None:
            limit = self.options.margin * cosines[query, positive]
            return [text for text in candidates if cosines[query, text] < limit]
        logits = self.options.teacher.score(query, [positive, *candidates])
        probabilities = sigmoid(logits.astype(np.float64))
        limit = self.options.margin * probabilities[0]
        return [text for text, value in zip(candidates, probabilities[1:], strict=True) if value < limit]


@dataclass(frozen=True)
class _Sample:
    """Labelled query with its drawn positives, labelled negatives, and candidates with their cosines if known."""

    labelled: LabelledQuery
    positives: Sequence[str]
    irrelevant: Sequence[str]
    candidates: Mapping[str, float | None]


def _normalize_spaces(text: str) -> str:
    return " ".join(text.split())
