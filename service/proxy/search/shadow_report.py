"""Report on the changes of order that shadow mode recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rerank.service.proxy.search.shadow_log import ShadowRecord


@dataclass(frozen=True, slots=True)
class ChangedQuery:
    """Query whose searches changed. overlap: mean over its `searches`. example: its latest search."""

    query: str
    index: str
    searches: int
    first_changed: int
    overlap: float
    example: ShadowRecord

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for reports."""
        example = self.example
        first = [
            {"index": key[0], "id": key[1], "text": text}
            for order, text in zip((example.before, example.after), example.texts, strict=True)
            for key in order[:1]
        ]
        return {
            "query": self.query,
            "index": self.index,
            "searches": self.searches,
            "first_changed": self.first_changed,
            "overlap": round(self.overlap, 4),
            "first_hits": first,
        }


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """Numbers of searches whose first hit, first ten hits (as a set) and order of the first ten hits changed."""

    searches: int
    first: str | None
    last: str | None
    first_changed: int
    top_changed: int
    order_changed: int
    overlap: float
    queries: tuple[ChangedQuery, ...]

    @classmethod
    def of(cls, records: Iterable[ShadowRecord], *, examples: int) -> ShadowReport:
        """Returns the report on *records*, with the *examples* queries that changed most.

        Queries are compared in lower case without repeated spaces. Those with the lowest overlap come first, then those
        whose first hit changed, then frequent ones.
        """
        by_query: dict[tuple[str, str], list[ShadowRecord]] = {}
        searches = first_changed = top_changed = order_changed = 0
        overlap = 0.0
        times: list[str] = []
        for record in records:
            by_query.setdefault((record.index, " ".join(record.query.lower().split())), []).append(record)
            searches += 1
            first_changed += record.first_changed
            top_changed += record.top_changed
            order_changed += record.order_changed
            overlap += record.overlap
            times = [min([record.time, *times]), max([record.time, *times])]
        changed = [_changed_query(group) for group in by_query.values() if any(r.order_changed for r in group)]
        changed.sort(key=lambda query: (query.overlap, -query.first_changed / query.searches, -query.searches))
        return cls(
            searches,
            times[0] if times else None,
            times[-1] if times else None,
            first_changed,
            top_changed,
            order_changed,
            overlap / searches if searches else 1.0,
            tuple(changed[:examples]),
        )

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for reports; the changes are fractions of the searches."""
        total = max(self.searches, 1)
        return {
            "searches": self.searches,
            "first": self.first,
            "last": self.last,
            "first_hit_changed": round(self.first_changed / total, 4),
            "first_ten_changed": round(self.top_changed / total, 4),
            "order_of_first_ten_changed": round(self.order_changed / total, 4),
            "overlap_at_10": round(self.overlap, 4),
            "queries": [query.to_json() for query in self.queries],
        }


def _changed_query(group: Sequence[ShadowRecord]) -> ChangedQuery:
    example = next(record for record in reversed(group) if record.order_changed)
    return ChangedQuery(
        example.query,
        example.index,
        len(group),
        sum(record.first_changed for record in group),
        sum(record.overlap for record in group) / len(group),
        example,
    )
