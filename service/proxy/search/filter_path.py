"""Parameter `filter_path`, which selects parts of a response.

The proxy applies it, because reranking needs the whole response of the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rerank.service.proxy.search.wildcard import matches_wildcard

Path = tuple[str, ...]
MAX_WILDCARD_STEPS = 50
"""Maximum number of steps with `*` in all paths together. Each of them is compared with each distinct key."""

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
        included = dict.fromkeys(_path(part) for part in parts if not part.startswith("-"))
        excluded = dict.fromkeys(_path(part[1:]) for part in parts if part.startswith("-"))
        return cls(tuple(included), tuple(excluded))

    @property
    def wildcard_steps(self) -> int:
        """Number of steps with `*` in all paths."""
        return sum("*" in step for path in (*self.included, *self.excluded) for step in path)

    def apply(self, value: dict[str, Any]) -> dict[str, Any]:
        """Returns the selected parts of *value*."""
        selected: Any = value
        if self.included:
            selected = _include(value, _Matcher.of(self.included))
        if self.excluded:
            selected = _exclude(selected, _Matcher.of(self.excluded))
        return selected if isinstance(selected, dict) else {}


def _path(text: str) -> Path:
    """Returns the steps of *text*. Consecutive `**` mean the same as one."""
    steps = text.split(".")
    return tuple(step for i, step in enumerate(steps) if step != _ANY_DEPTH or i == 0 or steps[i - 1] != _ANY_DEPTH)


_Position = tuple[int, int]
"""Index of a path, and the number of its steps that are matched."""


class _Matcher:
    """The positions in some paths after a key: a state of the automaton that matches keys from the root to the leaves.

    `ends`: a path ends at the key. `dead`: no path can match a member. States and their successors are computed once,
    so the number of comparisons does not depend on the number of hits.
    """

    def __init__(
        self, paths: Sequence[Path], positions: frozenset[_Position], known: dict[frozenset[_Position], _Matcher]
    ) -> None:
        self._paths = paths
        self._known = known
        self._next: dict[str, _Matcher] = {}
        self._wildcards: list[_Position] = []
        self._exact: dict[str, list[_Position]] = {}
        self.dead = not positions
        self.ends = False
        for path, step in positions:
            if step == len(paths[path]):
                self.ends = True
            elif "*" in paths[path][step]:
                self._wildcards.append((path, step))
            else:
                self._exact.setdefault(paths[path][step], []).append((path, step + 1))

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Self:
        """Returns the state before the first key."""
        return cls(paths, frozenset((i, 0) for i in range(len(paths))), {})

    def after(self, key: str) -> _Matcher:
        """Returns the state after *key*."""
        state = self._next.get(key)
        if state is None:
            positions = frozenset(self._positions_after(key))
            state = self._known.get(positions)
            if state is None:
                state = self._known[positions] = _Matcher(self._paths, positions, self._known)
            self._next[key] = state
        return state

    def _positions_after(self, key: str) -> Iterator[_Position]:
        yield from self._exact.get(key, ())
        for path, step in self._wildcards:
            steps = self._paths[path]
            if steps[step] != _ANY_DEPTH:
                if matches_wildcard(key, steps[step]):
                    yield path, step + 1
                continue
            yield path, step
            if step + 1 == len(steps):
                yield path, step + 1
            elif matches_wildcard(key, steps[step + 1]):
                yield path, step + 2


def _include(value: Any, paths: _Matcher) -> Any:
    """Returns the parts of *value* that match *paths*, or None if there are none."""
    if isinstance(value, list):
        members = [part for member in value if (part := _include(member, paths)) is not None]
        return members or None
    if not isinstance(value, dict):
        return None
    result = {}
    for key, member in value.items():
        rest = paths.after(key)
        if rest.ends:
            result[key] = member
        elif not rest.dead and (part := _include(member, rest)) is not None:
            result[key] = part
    return result or None


def _exclude(value: Any, paths: _Matcher) -> Any:
    """Returns *value* without the parts that match *paths*, or None if nothing remains."""
    if isinstance(value, list):
        members = [part for member in value if (part := _exclude(member, paths)) is not None]
        return members or (None if value else value)
    if not isinstance(value, dict):
        return value
    result = {}
    for key, member in value.items():
        rest = paths.after(key)
        if not rest.ends and ((part := _exclude(member, rest)) is not None or member is None):
            result[key] = part
    return result or (None if value else value)
