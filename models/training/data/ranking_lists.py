"""Lists to learn a ranking from: a query, passages, and how relevant each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RankingList:
    """One query's passages with their labels from 0 to 1, all of them 0 where nothing was judged.

    teacher: the cosines of the encoder that holds a model near its base; scores: the logits of a model that is to be
    learned. Each is empty where no such model has read the list.
    """

    query: str
    passages: tuple[str, ...]
    labels: tuple[float, ...]
    teacher: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A query, the label above 0 of each relevant passage, and passages known not to be relevant."""

    query: str
    relevant: Mapping[str, float]
    irrelevant: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingData:
    """What was read: lists that are complete, queries that still need negatives, and where to find these.

    `digests` gives the SHA-256 of each file that was read, by its path.
    """

    lists: tuple[RankingList, ...] = ()
    judged: tuple[LabelledQuery, ...] = ()
    pool: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def queries(self) -> int:
        """How many different queries there are."""
        return len({one.query for one in self.lists} | {one.query for one in self.judged})


def joined(parts: Sequence[TrainingData]) -> TrainingData:
    """All parts as one; a negative for a query of one part may then come from another."""
    return TrainingData(
        lists=tuple(one for part in parts for one in part.lists),
        judged=tuple(one for part in parts for one in part.judged),
        pool=tuple(dict.fromkeys(text for part in parts for text in part.pool)),
        digests={path: digest for part in parts for path, digest in part.digests.items()},
    )
