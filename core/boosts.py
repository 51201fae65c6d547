"""Boosts of a final order: terms that are added to the log-odds of a score, and pinned and excluded documents.

The terms of a document depend on its own fields only, so that adding a candidate never swaps two others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_WEIGHT = 10.0
MAX_IDS = 100
"""Largest number of pinned or excluded ids."""

_HALF_LIFE = re.compile(r"([1-9]\d{0,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class BoostTerm:
    """Term of a boosted score. value is None if the document's field has no usable value, for the stated `reason`."""

    boost: str
    field: str
    weight: float
    value: float | None
    reason: str | None = None

    @property
    def contribution(self) -> float:
        """Value times weight, in log-odds; 0 without a value."""
        return 0.0 if self.value is None else self.value * self.weight

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for responses."""
        return {
            "boost": self.boost,
            "field": self.field,
            "value": None if self.value is None else round(self.value, 8),
            "weight": self.weight,
            "contribution": round(self.contribution, 8),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class BoostExplanation:
    """Boosts of a hit. log_odds: those of the final score; None for a hit without a score of the model.

    pinned: position among the pinned ids from 1, or None.
    """

    log_odds: float | None
    terms: tuple[BoostTerm, ...] = ()
    pinned: int | None = None

    def to_json(self) -> dict[str, object]:
        """Returns the JSON form for responses."""
        return {
            "log_odds": None if self.log_odds is None else round(self.log_odds, 8),
            "terms": [term.to_json() for term in self.terms],
            "pinned": self.pinned,
        }


@dataclass(frozen=True, slots=True)
class RecencyBoost:
    """Boost of 2 ^ -(age / half_life), from 1 for a new document or a date in the future to 0.

    The newest of several dates counts.
    """

    field: str
    half_life: timedelta
    weight: float

    def term(self, value: object, now: datetime) -> BoostTerm:
        """Returns the term of a document whose field has *value*: an ISO 8601 date, or a list of dates."""
        dates = [date for date in map(_date, _values(value)) if date is not None]
        if not dates:
            return BoostTerm("recency", self.field, self.weight, None, _reason(value, "not a date"))
        age = max(now - max(dates), timedelta())
        return BoostTerm("recency", self.field, self.weight, 0.5 ** (age / self.half_life))


@dataclass(frozen=True, slots=True)
class LogBoost:
    """Boost of log10(1 + value): each factor of ten adds the weight. The highest of several values counts."""

    field: str
    weight: float

    def term(self, value: object) -> BoostTerm:
        """Returns the term of a document whose field has *value*: a number that is not negative, or a list."""
        numbers = [
            float(number)
            for number in _values(value)
            if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf
        ]
        if not numbers:
            return BoostTerm("log", self.field, self.weight, None, _reason(value, "not a number of 0 or more"))
        return BoostTerm("log", self.field, self.weight, math.log10(1.0 + max(numbers)))


@dataclass(frozen=True, slots=True)
class Boosts:
    """Boosts of a search. pinned: ids in their order at the top. excluded: ids that are removed."""

    recency: RecencyBoost | None = None
    log: LogBoost | None = None
    pinned: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields whose values the terms need."""
        return tuple(boost.field for boost in (self.recency, self.log) if boost is not None)

    def terms(self, values: Sequence[object], now: datetime) -> tuple[BoostTerm, ...]:
        """Returns the terms of a document from its *values* of `fields`, in that order."""
        remaining = iter(values)
        terms = []
        if self.recency is not None:
            terms.append(self.recency.term(next(remaining), now))
        if self.log is not None:
            terms.append(self.log.term(next(remaining)))
        return tuple(terms)


def parse_half_life(text: str) -> timedelta | None:
    """Returns the duration of *text*, such as `12h`, `30d` or `4w`; None for any other text."""
    match = _HALF_LIFE.fullmatch(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


def current_hour() -> datetime:
    """Returns the start of the current hour, UTC, so that the pages of a search have equal boosts."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _values(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _reason(value: object, wrong: str) -> str:
    return "missing" if value is None or value == [] else wrong


def _date(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
