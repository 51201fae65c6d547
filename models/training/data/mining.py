"""Hard negatives from a live index: near to the query, and yet unlikely to answer it.

Of what the index finds, what is too near is left out: by the encoder's cosines, or by what a teacher says, above 95% of
the relevant passage's own. Moreira et al.: NV-Retriever: Improving text embedding models with effective hard-negative
mining, 2024 (TopK-PercPos).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import TrainingDataError
from rerank.core.fusion import sigmoid
from rerank.core.protocols import Encoder, Index
from rerank.core.retrieval import RetrievalOptions, Retriever
from rerank.core.search import Candidate
from rerank.core.settings import Mode
from rerank.models.training.data.negatives import POSITIVES
from rerank.models.training.data.ranking_lists import LabelledQuery, TrainingData
from rerank.models.training.data.resumable_json_lines import ResumableJsonLines, Row
from rerank.models.training.data.teacher_scores import ListTeacher
from rerank.models.training.options import ReportPreparation

_AT_ONCE = 256
_SEARCHES = 4
_SPARE = 2
"""So many times more candidates are drawn than are needed: some turn out to be answers."""


@dataclass(frozen=True, kw_only=True)
class MiningOptions:
    """How negatives are found: `count` a relevant passage, drawn from the first `depth` that the index finds.

    margin: passages above this part of the relevant one's cosine are left out, or of its probability where a teacher
    says what it is.
    """

    count: int = 9
    mode: Mode = "hybrid"
    depth: int = 60
    margin: float = 0.95
    seed: int = 42
    teacher: ListTeacher | None = None
    on_preparation: ReportPreparation | None = None

    def made_from(self) -> dict[str, object]:
        """Everything of it that decides which negatives are found."""
        teacher = None if self.teacher is None else self.teacher.fingerprint
        kept = {name: getattr(self, name) for name in ("count", "mode", "depth", "margin", "seed")}
        return {**kept, "teacher": teacher}


@dataclass(frozen=True)
class NegativeMiner:
    """Finds negatives in *index*, whose vectors are *encoder*'s."""

    index: Index
    encoder: Encoder
    options: MiningOptions = field(default_factory=MiningOptions)

    def mine(self, data: TrainingData, lines: ResumableJsonLines) -> None:
        """Write a line of {"query", "positive", "label", "negatives", "teacher"} for each relevant passage of *data*.

        At most five of a query; `teacher` holds the encoder's cosines. A relevant passage for which the index has no
        negative is left out. Goes on where a run was broken off. Raises TrainingDataError where nothing is judged,
        TrainingFailed when the file cannot be written, and what the index raises.
        """
        if not data.judged:
            raise TrainingDataError("no judged queries that negatives could be looked for; lists have theirs already")
        if lines.finished():
            return
        done = lines.done()
        left = [one for one in data.judged if one.query not in done]
        lines.write(self._rows(left))

    def _rows(self, judged: Sequence[LabelledQuery]) -> Iterator[Sequence[Row]]:
        with ThreadPoolExecutor(_SEARCHES) as searches, closing(Retriever(threads=_SEARCHES)) as retriever:
            for start in range(0, len(judged), _AT_ONCE):
                part = judged[start : start + _AT_ONCE]
                vectors = self.encoder.encode_queries([one.query for one in part])
                found = list(searches.map(partial(self._found, retriever), part, vectors))
                drawn = [self._drawn(*each) for each in zip(part, found, strict=True)]
                cosines = self._cosines(drawn, vectors)
                for one in drawn:
                    yield [row for each in one.positives if (row := self._row(one, each, cosines))]
                if self.options.on_preparation:
                    self.options.on_preparation("queries mined", start + len(part), len(judged))

    def _found(self, retriever: Retriever, judged: LabelledQuery, vector: NDArray[np.float32]) -> list[Candidate]:
        options = RetrievalOptions(self.options.mode, self.options.depth)
        return retriever.candidates(self.index, judged.query, vector, options)

    def _drawn(self, judged: LabelledQuery, found: Sequence[Candidate]) -> _Drawn:
        """Relevant passages of *judged*, and candidates that none of them says, in an order drawn by seed and query."""
        draw = random.Random(f"{self.options.seed} {judged.query}")
        positives = draw.sample(list(judged.relevant), min(POSITIVES, len(judged.relevant)))
        answers = [_plain(text) for text in judged.relevant]
        strangers: dict[str, float | None] = {}
        for candidate in found:
            text = candidate.passage.headed_text
            body, whole = _plain(candidate.passage.text), _plain(text)
            if not any(body in answer or answer in whole for answer in answers):
                strangers.setdefault(text, candidate.cosine)
        known = draw.sample(list(judged.irrelevant), min(self.options.count, len(judged.irrelevant)))
        texts = draw.sample(list(strangers), min(_SPARE * self.options.count, len(strangers)))
        return _Drawn(judged, positives, known, {text: strangers[text] for text in texts if text not in known})

    def _cosines(self, drawn: Sequence[_Drawn], queries: NDArray[np.float32]) -> dict[tuple[str, str], float]:
        """The cosine of each query with its texts; those that the index found by vector are known already."""
        needed = [
            (row, text)
            for row, one in enumerate(drawn)
            for text in (*one.positives, *one.known, *(text for text, known in one.found.items() if known is None))
        ]
        texts = list(dict.fromkeys(text for _, text in needed))
        vectors = dict(zip(texts, self.encoder.encode_documents(texts), strict=True))
        cosines = {(drawn[row].judged.query, text): float(queries[row] @ vectors[text]) for row, text in needed}
        for one in drawn:
            cosines.update({(one.judged.query, text): known for text, known in one.found.items() if known is not None})
        return cosines

    def _row(self, one: _Drawn, positive: str, cosines: Mapping[tuple[str, str], float]) -> Row | None:
        query = one.judged.query
        near = cosines[query, positive]
        found = list(one.found)
        if self.options.teacher is None:
            kept = [text for text in found if cosines[query, text] < self.options.margin * near]
        elif found:
            logits = self.options.teacher.score(query, [positive, *found])
            says = sigmoid(logits.astype(np.float64))
            kept = [text for text, said in zip(found, says[1:], strict=True) if said < self.options.margin * says[0]]
        else:
            kept = []
        negatives = [*one.known, *kept][: self.options.count]
        if not negatives:
            return None
        return {
            "query": query,
            "positive": positive,
            "label": one.judged.relevant[positive],
            "negatives": negatives,
            "teacher": [round(cosines[query, text], 4) for text in (positive, *negatives)],
        }


@dataclass(frozen=True)
class _Drawn:
    """A query's relevant passages, passages that were judged irrelevant, and candidates with the cosines known."""

    judged: LabelledQuery
    positives: Sequence[str]
    known: Sequence[str]
    found: Mapping[str, float | None]


def _plain(text: str) -> str:
    return " ".join(text.split())
