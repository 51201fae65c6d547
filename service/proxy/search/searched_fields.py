"""Fields whose text a search looks at, from its query clauses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from rerank.service.proxy.search.query_syntax import QueryFields

_BY_FIELD = frozenset({"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "intervals"})
"""Clauses of the form `{name: {field: …}}` that search text. Vector clauses (`knn`, `neural`) search no text."""

_WITH_FIELDS = frozenset({"multi_match", "combined_fields", "more_like_this", "query_string", "simple_query_string"})
"""Clauses that list `fields`, and search all fields without the list."""

_COMPOUND: Mapping[str, tuple[str, ...]] = {
    "bool": ("must", "should"),
    "dis_max": ("queries",),
    "hybrid": ("queries",),
    "function_score": ("query",),
    "script_score": ("query",),
    "constant_score": ("filter",),
    "boosting": ("positive",),
    "nested": ("query",),
    "pinned": ("organic",),
}
"""Compound clauses with the keys that contribute to the score. `has_child` searches fields of other documents."""

MAX_PATTERNS = 1_000
MAX_WILDCARDS = 50
"""Maximum numbers of names and of patterns of a search. Each pattern is compared with each field of the mapping."""


@dataclass(frozen=True, slots=True)
class SearchedFields:
    """Names and patterns of the searched fields, by descending boost.

    all_fields: True if the search names no fields.
    """

    patterns: tuple[str, ...]
    all_fields: bool

    @classmethod
    def of(cls, query: object, *, q: str | None = None, df: str | None = None) -> Self:
        """Returns the fields of a *query* clause, or of the URL parameters *q* and *df*."""
        found = list(_fields(query))
        if q:
            found += _of_query_string(q, [df] if df else [])
        boosts: dict[str, float] = {}
        for name, boost in found:
            boosts[name] = max(boost, boosts.get(name, 0.0))
        if "*" in boosts:
            return cls((), True)
        names = sorted((name for name, boost in boosts.items() if boost > 0), key=lambda name: -boosts[name])
        wildcards = [name for name in names if "*" in name][:MAX_WILDCARDS]
        kept = tuple(name for name in names[:MAX_PATTERNS] if "*" not in name or name in wildcards)
        return cls(kept, not found)


def _fields(clause: object) -> Iterator[tuple[str, float]]:
    """Yields the names of the searched fields with their boosts; `*` for all fields."""
    if isinstance(clause, list):
        for member in clause:
            yield from _fields(member)
        return
    if not isinstance(clause, Mapping):
        return
    for name, value in clause.items():
        if not isinstance(value, Mapping):
            continue
        if name in _COMPOUND:
            for key in _COMPOUND[name]:
                yield from _fields(value.get(key))
        elif name in _BY_FIELD:
            yield from ((str(field), _boost(inner)) for field, inner in value.items())
        elif name == "semantic" and isinstance(value.get("field"), str):
            yield value["field"], 1.0
        elif name in _WITH_FIELDS:
            yield from _of_fields_clause(name, value)


def _of_fields_clause(name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    listed = value.get("fields") or value.get("default_field") or []
    names = [str(entry) for entry in (listed if isinstance(listed, list) else [listed])]
    if name == "query_string" and isinstance(value.get("query"), str):
        yield from _of_query_string(value["query"], names)
    else:
        yield from (_with_boost(entry) for entry in names or ["*"])


def _of_query_string(syntax: str, defaults: list[str]) -> list[tuple[str, float]]:
    """Returns the fields that a query string names, and the *defaults* if it also has words without a field."""
    parsed = QueryFields.of(syntax)
    named = [(name, 1.0) for name in parsed.names if name != "_exists_"]
    return named + ([_with_boost(name) for name in defaults or ["*"]] if parsed.unqualified else [])


def _with_boost(entry: str) -> tuple[str, float]:
    """Returns the name and the boost of `name^boost`."""
    name, _, boost = entry.partition("^")
    try:
        return name, float(boost) if boost else 1.0
    except ValueError:
        return name, 1.0


def _boost(value: object) -> float:
    boost = value.get("boost", 1.0) if isinstance(value, Mapping) else 1.0
    return float(boost) if isinstance(boost, int | float) else 1.0
