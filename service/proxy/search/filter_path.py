"""`filter_path`: which parts of an answer a client wants, applied here because the whole answer is read on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Path = tuple[str, ...]
_ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class FilterPath:
    """Paths whose parts may have `*` in them, and `**` for any number of parts. Lists are passed through.

    What is on a path of `wanted` (or everything, where there is none) stays, unless it is on one of `unwanted`.
    Objects and lists that are left empty go with what they held.
    """

    wanted: tuple[Path, ...]
    unwanted: tuple[Path, ...]

    @classmethod
    def parse(cls, text: str) -> FilterPath:
        """From the parameter's value: paths with commas between them, the unwanted ones with `-` before them."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        wanted = tuple(tuple(part.split(".")) for part in parts if not part.startswith("-"))
        return cls(wanted, tuple(tuple(part[1:].split(".")) for part in parts if part.startswith("-")))

    def of(self, value: dict[str, Any]) -> dict[str, Any]:
        """What stays of *value*."""
        kept: Any = value
        if self.wanted:
            kept = _kept(value, self.wanted)
        if self.unwanted:
            kept = _less(kept, self.unwanted)
        return kept if isinstance(kept, dict) else {}


def _kept(value: Any, paths: Sequence[Path]) -> Any:
    """The parts of *value* on *paths*; None where there are none."""
    if isinstance(value, list):
        members = [kept for member in value if (kept := _kept(member, paths)) is not None]
        return members or None
    if not isinstance(value, dict):
        return None
    result = {}
    for key, member in value.items():
        below = _below(key, paths)
        if () in below:
            result[key] = member
        elif below and (kept := _kept(member, below)) is not None:
            result[key] = kept
    return result or None


def _less(value: Any, paths: Sequence[Path]) -> Any:
    """*value* without the parts on *paths*; None where nothing is left of what was something."""
    if isinstance(value, list):
        members = [kept for member in value if (kept := _less(member, paths)) is not None]
        return members or (None if value else value)
    if not isinstance(value, dict):
        return value
    result = {}
    for key, member in value.items():
        below = _below(key, paths)
        if () not in below and ((kept := _less(member, below)) is not None or member is None):
            result[key] = kept
    return result or (None if value else value)


def _below(key: str, paths: Sequence[Path]) -> list[Path]:
    """What is left of *paths* beneath *key*; the empty one: the path ends there."""
    left: list[Path] = []
    for path in paths:
        head, rest = path[0], path[1:]
        if head == _ANY_DEPTH:
            left.append(path)
            if not rest:
                left.append(())
            elif fnmatchcase(key, rest[0]):
                left.append(rest[1:])
        elif fnmatchcase(key, head):
            left.append(rest)
    return left
