"""Texts of hits. The proxy adds their fields to the client's request and removes them from the response.

The proxy requests them with the `fields` option, so that `_source` stays exactly as the client requests it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.prose import mostly_prose
from rerank.service.proxy.search.wildcard import matches_wildcard

MAX_PATTERNS = 1_000
"""Maximum number of distinct field patterns of a reranked search. Each is compared with each text field."""


@dataclass(frozen=True, slots=True)
class HitTexts:
    """Text fields of the hits of a search.

    names: fields that form the text, in order. added: those that the client does not list in `fields`. removed: those
    of `added` that the client does not request as stored fields, doc values or script fields either. prose_only: leave
    out fields whose values are not prose, because the proxy and not the client chose the fields.
    """

    names: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    prose_only: bool = False

    @classmethod
    def for_search(cls, call: SearchCall, names: Sequence[str], *, prose_only: bool = False) -> HitTexts:
        """Returns the texts of the hits of *call* from the fields *names*, in that order."""
        added = _not_matched(names, frozenset(_field_names(call.body.get("fields"))))
        removed = _not_matched(added, frozenset(_other_field_names(call)))
        return cls(tuple(names), added, removed, prose_only)

    @staticmethod
    def requests_too_many(call: SearchCall) -> bool:
        """Returns True if *call* requests fields by more than MAX_PATTERNS distinct patterns."""
        requested = {*_field_names(call.body.get("fields")), *_other_field_names(call)}
        return sum("*" in name for name in requested) > MAX_PATTERNS

    def add_to(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns *body* with the added names in its `fields`."""
        if not self.added:
            return dict(body)
        fields = body.get("fields") or []
        return {**body, "fields": [*(fields if isinstance(fields, list) else [fields]), *self.added]}

    def prose_names(self, hits: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """Returns the fields to score: those whose values in *hits* are prose, or all fields that the client chose."""
        if not self.prose_only:
            return self.names
        values = {name: [text for hit in hits for text in _texts_of(hit, name)] for name in self.names}
        return tuple(name for name in self.names if values[name] and mostly_prose(values[name]))

    def texts_of(self, hits: Sequence[Mapping[str, Any]]) -> list[str]:
        """Returns for each of *hits* the values of its fields, joined by spaces; an empty string if it has none."""
        names = self.prose_names(hits)
        return [" ".join(part for name in names for part in _texts_of(hit, name)) for hit in hits]

    def remove_from(self, hit: Mapping[str, Any]) -> dict[str, Any]:
        """Returns *hit* as the client requested it."""
        fields = hit.get("fields")
        if not self.removed or not isinstance(fields, Mapping):
            return dict(hit)
        rest: Any = fields
        for name in self.removed:
            rest = _without_field(rest, name)
        if rest:
            return {**hit, "fields": rest}
        return {key: value for key, value in hit.items() if key != "fields"}


def _not_matched(names: Sequence[str], requested: frozenset[str]) -> tuple[str, ...]:
    """Returns the *names* that no name or pattern of *requested* matches."""
    patterns = [name for name in requested if "*" in name]
    return tuple(
        name
        for name in names
        if name not in requested and not any(matches_wildcard(name, pattern) for pattern in patterns)
    )


def _other_field_names(call: SearchCall) -> Iterator[str]:
    """Yields the names that options other than `fields` add to the `fields` of a hit."""
    for key in ("docvalue_fields", "stored_fields"):
        yield from _field_names(call.body.get(key))
        yield from (call.param(key) or "").split(",")
    scripts = call.body.get("script_fields")
    yield from scripts if isinstance(scripts, Mapping) else ()


def _field_names(value: object) -> Iterator[str]:
    """Yields the names in a list of fields, each a string or an object with the key `field`."""
    for entry in value if isinstance(value, list) else [value]:
        name = entry.get("field") if isinstance(entry, Mapping) else entry
        if isinstance(name, str):
            yield name


def _value_of(value: Mapping[str, Any], name: str) -> object:
    """Returns the value of the field *name*, which may be a field of a nested object."""
    if name in value:
        return value[name]
    for root, members in value.items():
        if name.startswith(f"{root}.") and isinstance(members, list):
            rest = name[len(root) + 1 :]
            return [_value_of(member, rest) for member in members if isinstance(member, Mapping)]
    return None


def _texts_of(hit: Mapping[str, Any], name: str) -> Iterator[str]:
    fields = hit.get("fields")
    return _texts(_value_of(fields, name)) if isinstance(fields, Mapping) else iter(())


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _without_field(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns *value* without the field *name* and without nested objects that become empty."""
    result: dict[str, Any] = {}
    for root, members in value.items():
        if root == name:
            continue
        if name.startswith(f"{root}.") and isinstance(members, list):
            rest = name[len(root) + 1 :]
            remaining = [_without_field(member, rest) if isinstance(member, Mapping) else member for member in members]
            if any(remaining):
                result[root] = remaining
        else:
            result[root] = members
    return result
