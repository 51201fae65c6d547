"""Ranking data: lists of a query's passages, and labelled queries that lists are built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RankingList:
    """Passages of a query with their labels from 0 to 1. All labels are 0 if the passages are unlabelled.

    teacher: cosines of the encoder that regularises the training. scores: logits of the teacher to learn from. Both
    are empty if not computed yet.
    """

    query: str
    passages: tuple[str, ...]
    labels: tuple[float, ...]
    teacher: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """Query with the label above 0 of each relevant passage, and its irrelevant passages."""

    query: str
    relevant: Mapping[str, float]
    irrelevant: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingData:
    """Complete lists, labelled queries that still need negatives, and the pool of passages to draw these from.

    `digests`: SHA-256 of each file, by path.
    """

    lists: tuple[RankingList, ...] = ()
    labelled: tuple[LabelledQuery, ...] = ()
    pool: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def query_count(self) -> int:
        """Number of different queries."""
        return len({one.query for one in self.lists} | {one.query for one in self.labelled})


def merge(parts: Sequence[TrainingData]) -> TrainingData:
    """Returns all *parts* as one, with a common pool."""
    return TrainingData(
        lists=tuple(ranking_list for part in parts for ranking_list in part.lists),
        labelled=tuple(query for part in parts for query in part.labelled),
        pool=tuple(dict.fromkeys(text for part in parts for text in part.pool)),
        digests={path: digest for part in parts for path, digest in part.digests.items()},
    )
