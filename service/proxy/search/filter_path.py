"""Parameter `filter_path`, which selects parts of a response.

The proxy applies it, because reranking needs the whole response of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Path = tuple[str, ...]
_ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class FilterPath:
    """Paths to keep and to remove. `*` matches within a step, `**` matches any number of steps, lists are transparent.

    A value stays if a path of `included` matches it (or if there are none), unless a path of `excluded` matches it.
    Objects and lists that become empty are removed.
    """

    included: tuple[Path, ...]
    excluded: tuple[Path, ...]

    @classmethod
    def parse(cls, text: str) -> FilterPath:
        """Returns the filter of the parameter's value: comma-separated paths, with `-` before the excluded ones."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        included = tuple(tuple(part.split(".")) for part in parts if not part.startswith("-"))
        return cls(included, tuple(tuple(part[1:].split(".")) for part in parts if part.startswith("-")))

    def apply(self, value: dict[str, Any]) -> dict[str, Any]:
        """Returns the selected parts of *value*."""
        selected: Any = value
        if self.included:
            selected = _include(value, self.included)
        if self.excluded:
            selected = _exclude(selected, self.excluded)
        return selected if isinstance(selected, dict) else {}


def _include(value: Any, paths: Sequence[Path]) -> Any:
    """Returns the parts of *value* that match *paths*, or None if there are none."""
    if isinstance(value, list):
        members = [part for member in value if (part := _include(member, paths)) is not None]
        return members or None
    if not isinstance(value, dict):
        return None
    result = {}
    for key, member in value.items():
        remaining = _remaining(key, paths)
        if () in remaining:
            result[key] = member
        elif remaining and (part := _include(member, remaining)) is not None:
            result[key] = part
    return result or None


def _exclude(value: Any, paths: Sequence[Path]) -> Any:
    """Returns *value* without the parts that match *paths*, or None if nothing remains."""
    if isinstance(value, list):
        members = [part for member in value if (part := _exclude(member, paths)) is not None]
        return members or (None if value else value)
    if not isinstance(value, dict):
        return value
    result = {}
    for key, member in value.items():
        remaining = _remaining(key, paths)
        if () not in remaining and ((part := _exclude(member, remaining)) is not None or member is None):
            result[key] = part
    return result or (None if value else value)


def _remaining(key: str, paths: Sequence[Path]) -> list[Path]:
    """Returns the rest of each path that matches *key*. An empty rest means that the path ends at *key*."""
    matched: list[Path] = []
    for path in paths:
        head, rest = path[0], path[1:]
        if head == _ANY_DEPTH:
            matched.append(path)
            if not rest:
                matched.append(())
            elif fnmatchcase(key, rest[0]):
                matched.append(rest[1:])
        elif fnmatchcase(key, head):
            matched.append(rest)
    return matched
