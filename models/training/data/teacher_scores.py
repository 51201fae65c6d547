"""A teacher's scores of lists, in logits: a reranker's own, or a bi-encoder's cosines made as wide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank.models.catalog import resolve
from rerank.models.computing import REPRODUCIBLE
from rerank.models.loading import load_encoder, load_ranking_model
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.data.resumable_array import load_or_compute_array
from rerank.models.training.losses.ranking import TEACHER_SCALE
from rerank.models.training.options import ReportPreparation

_SCORES_FILE = "scores.f32"
Score = Callable[[str, Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class ListTeacher:
    """A model that scores the passages of a query. `name` and `fingerprint` say which one it is."""

    name: str
    fingerprint: str
    score: Score

    @classmethod
    def named(cls, name: str | Path) -> ListTeacher:
        """The reranker or bi-encoder that *name* means. Raises ModelNotFound, or ModelInvalid where it cannot score."""
        folder = resolve(str(name), role="reranker")
        if folder.kind != "encoder":
            reranker = load_ranking_model(str(name), computing=REPRODUCIBLE).reranker
            return cls(folder.name, folder.fingerprint, lambda query, texts: reranker.score(query, texts).logits)
        encoder = load_encoder(folder.name, computing=REPRODUCIBLE)

        def cosines(query: str, texts: Sequence[str]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = encoder.encode_documents(texts) @ encoder.encode_queries([query])[0]
            return found * np.float32(TEACHER_SCALE)

        return cls(folder.name, folder.fingerprint, cosines)


def add_teacher_scores(
    lists: Sequence[RankingList], teacher: ListTeacher, *, checkpoints: Path, report: ReportPreparation | None
) -> list[RankingList]:
    """The lists, those without scores scored by *teacher*, which are kept in *checkpoints*."""
    unread = [one for one in lists if not one.scores]

    ends = np.cumsum([len(one.passages) for one in unread], dtype=np.int64)
    count = int(ends[-1]) if unread else 0

    def parts(done: int) -> Iterator[NDArray[Any]]:
        # The first list that is not there as a whole may be there in part.
        first = int(np.searchsorted(ends, done, side="right"))
        for number in range(first, len(unread)):
            one = unread[number]
            there = max(0, done - int(ends[number]) + len(one.passages))
            yield teacher.score(one.query, one.passages)[there:]
            if report:
                report("lists read by the teacher", number + 1, len(unread))

    values = load_or_compute_array(checkpoints / _SCORES_FILE, (count,), np.float32, parts)
    found = iter(np.split(values, ends[:-1]))
    return [one if one.scores else replace(one, scores=tuple(map(float, next(found)))) for one in lists]
