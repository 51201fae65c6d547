"""The text of a hit: asked for beside what the client wants of it, and taken away again.

It comes by the `fields` option, so that `_source`, whatever the client wants of it, stays as the server gave it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rerank.service.proxy.search.call import SearchCall


@dataclass(frozen=True, slots=True)
class HitTexts:
    """The text of hits by the fields `names`. `added` are those that the client does not ask for in its `fields`, and
    `removed` those of them that it asks for in no other way either (as stored fields or doc values)."""

    names: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @classmethod
    def of(cls, call: SearchCall, names: Sequence[str]) -> HitTexts:
        """For the hits of *call*, read by the fields *names* in that order."""
        own = list(_named(call.body.get("fields")))
        added = tuple(name for name in names if not any(fnmatchcase(name, each) for each in own))
        others = list(_other_fields(call))
        removed = tuple(name for name in added if not any(fnmatchcase(name, each) for each in others))
        return cls(tuple(names), added, removed)

    def asked_in(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """*body* with the fields asked for."""
        if not self.added:
            return dict(body)
        own = body.get("fields") or []
        return {**body, "fields": [*(own if isinstance(own, list) else [own]), *self.added]}

    def read(self, hit: Mapping[str, Any]) -> str:
        """The hit's values, in the fields' order; empty where it has none."""
        fields = hit.get("fields")
        if not isinstance(fields, Mapping):
            return ""
        return " ".join(part for name in self.names for part in _strings(_under(fields, name)))

    def without(self, hit: Mapping[str, Any]) -> dict[str, Any]:
        """*hit* as the client asked for it."""
        fields = hit.get("fields")
        if not self.removed or not isinstance(fields, Mapping):
            return dict(hit)
        left: Any = fields
        for name in self.removed:
            left = _less(left, name)
        if left:
            return {**hit, "fields": left}
        return {key: value for key, value in hit.items() if key != "fields"}


def _other_fields(call: SearchCall) -> Iterator[str]:
    """What the client has under a hit's `fields` by other ways than the `fields` option."""
    for key in ("docvalue_fields", "stored_fields"):
        yield from _named(call.body.get(key))
        yield from (call.param(key) or "").split(",")
    scripts = call.body.get("script_fields")
    yield from scripts if isinstance(scripts, Mapping) else ()


def _named(value: object) -> Iterator[str]:
    """The names in a list of fields, each a name or an object with one."""
    for entry in value if isinstance(value, list) else [value]:
        name = entry.get("field") if isinstance(entry, Mapping) else entry
        if isinstance(name, str):
            yield name


def _under(value: Mapping[str, Any], name: str) -> object:
    """The value of the field *name*: by its whole name, or, in a nested object, by its parts."""
    if name in value:
        return value[name]
    for root, members in value.items():
        if name.startswith(f"{root}.") and isinstance(members, list):
            rest = name[len(root) + 1 :]
            return [_under(member, rest) for member in members if isinstance(member, Mapping)]
    return None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for member in value:
            yield from _strings(member)
    elif isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _less(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    """*value* without the field *name*, and without nested objects that held nothing else."""
    result: dict[str, Any] = {}
    for root, members in value.items():
        if root == name:
            continue
        if name.startswith(f"{root}.") and isinstance(members, list):
            rest = name[len(root) + 1 :]
            kept = [_less(member, rest) if isinstance(member, Mapping) else member for member in members]
            if any(kept):
                result[root] = kept
        else:
            result[root] = members
    return result
