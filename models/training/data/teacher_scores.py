"""Scores of a teacher model for ranking lists, in logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank.models.catalog import resolve
from rerank.models.compute_options import REPRODUCIBLE_COMPUTE
from rerank.models.loading import load_encoder, load_ranking_model
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.data.resumable_array import load_or_compute_array
from rerank.models.training.losses.ranking import TEACHER_SCALE
from rerank.models.training.options import ReportPreparation

_SCORES_FILE = "scores.f32"
Score = Callable[[str, Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class ListTeacher:
    """Model that scores the passages of a query."""

    name: str
    fingerprint: str
    score: Score

    @classmethod
    def load(cls, name: str | Path) -> ListTeacher:
        """Returns the reranker or bi-encoder *name*. A bi-encoder's cosines are scaled to the range of logits.

        Raises ModelNotFound if it does not exist, ModelInvalid if it cannot score passages.
        """
        folder = resolve(str(name), role="reranker")
        if folder.kind != "encoder":
            reranker = load_ranking_model(str(name), compute=REPRODUCIBLE_COMPUTE).reranker
            return cls(folder.name, folder.fingerprint, lambda query, texts: reranker.score(query, texts).logits)
        encoder = load_encoder(folder.name, compute=REPRODUCIBLE_COMPUTE)

        def scaled_cosines(query: str, texts: Sequence[str]) -> NDArray[np.float32]:
            cosines: NDArray[np.float32] = encoder.encode_documents(texts) @ encoder.encode_queries([query])[0]
            return cosines * np.float32(TEACHER_SCALE)

        return cls(folder.name, folder.fingerprint, scaled_cosines)


def add_teacher_scores(
    lists: Sequence[RankingList], teacher: ListTeacher, *, checkpoints: Path, report: ReportPreparation | None
) -> list[RankingList]:
    """Returns the lists, with the scores of *teacher* for those that have none. Stores the scores in *checkpoints*."""
    missing = [ranking_list for ranking_list in lists if not ranking_list.scores]
    ends = np.cumsum([len(ranking_list.passages) for ranking_list in missing], dtype=np.int64)
    count = int(ends[-1]) if missing else 0

    def score_from(done: int) -> Iterator[NDArray[Any]]:
        # The first list that is not stored completely may be stored in part.
        first = int(np.searchsorted(ends, done, side="right"))
        for number in range(first, len(missing)):
            ranking_list = missing[number]
            stored = max(0, done - int(ends[number]) + len(ranking_list.passages))
            yield teacher.score(ranking_list.query, ranking_list.passages)[stored:]
            if report:
                report("lists scored by the teacher", number + 1, len(missing))

    values = load_or_compute_array(checkpoints / _SCORES_FILE, (count,), np.float32, score_from)
    scores = iter(np.split(values, ends[:-1]))
    return [
        ranking_list if ranking_list.scores else replace(ranking_list, scores=tuple(map(float, next(scores))))
        for ranking_list in lists
    ]
