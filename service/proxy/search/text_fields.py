"""Text fields of indexes, from their mappings, and the choice of the fields that the model scores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode

from cachetools import TTLCache

from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.rerank_options import MAX_FIELDS
from rerank.service.proxy.search.searched_fields import SearchedFields
from rerank.service.proxy.search.wildcard import matches_wildcard

TTL_SECONDS = 60.0
MAX_CACHED = 1000
INDEX_PARAMS = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")
"""URL parameters of a search that determine its indexes. The request for the mapping needs them too."""

_TEXT_TYPES = frozenset({"text", "match_only_text", "search_as_you_type", "semantic_text"})
_STRING_TYPES = _TEXT_TYPES | {"keyword", "wildcard", "constant_keyword"}
_TITLE_NAMES = ("title", "name", "heading", "headline", "subject")

FetchMapping = Callable[[SearchCall, str], object]
"""Function that returns the JSON of GET on a target with the headers of a search, or None on an error."""


@dataclass(frozen=True, slots=True)
class TextMapping:
    """Text fields of the indexes of a search.

    default: fields to score if the search does not state which fields it searches: titles first, at most MAX_FIELDS.
    strings: names of all text and keyword fields. sources: the fields whose text another field repeats: a copy_to
    target, a multi-field, or an alias. known: False if the mapping is unavailable.
    """

    default: tuple[str, ...] = ()
    strings: frozenset[str] = frozenset()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: bool = False

    @classmethod
    def parse(cls, mappings: object) -> Self:
        """Returns the fields in a response to GET _mapping."""
        if not isinstance(mappings, Mapping):
            return cls()
        strings: set[str] = set()
        sources: dict[str, dict[str, None]] = {}
        for index in mappings.values():
            properties = index.get("mappings", {}).get("properties", {}) if isinstance(index, Mapping) else {}
            for name, entry, _ in _leaves(properties, "", nested=False):
                if entry.get("type") in _STRING_TYPES:
                    strings.add(name)
                for target in _repeats(name, entry):
                    sources.setdefault(target, {})[name] = None
                if entry.get("type") == "alias":
                    sources.setdefault(name, {})[str(entry.get("path"))] = None
        return cls(
            text_fields(mappings), frozenset(strings), {name: tuple(found) for name, found in sources.items()}, True
        )

    def scored(self, searched: SearchedFields) -> tuple[str, ...]:
        """Returns the fields to score for a search of the fields *searched*, at most MAX_FIELDS.

        Fields that repeat the text of others are replaced by those. Without *searched* fields, the default ones are
        returned.
        """
        if searched.all_fields:
            return self.default
        names: dict[str, None] = {}
        for pattern in searched.patterns:
            names.update(dict.fromkeys(self._matching(pattern)))
        return tuple(sorted(names, key=_title_rank)[:MAX_FIELDS])

    def _matching(self, pattern: str) -> list[str]:
        if not self.known:
            # For example an index of another cluster, whose mapping this server does not return.
            return [] if "*" in pattern else [pattern]
        if "*" in pattern:
            candidates = sorted(name for name in {*self.strings, *self.sources} if matches_wildcard(name, pattern))
        else:
            candidates = [pattern] if pattern in self.strings or pattern in self.sources else []
        return [source for name in candidates for source in self._originals(name, depth=3)]

    def _originals(self, name: str, *, depth: int) -> Iterator[str]:
        """Yields the fields of strings whose text *name* has, at most *depth* steps away."""
        sources = [source for source in self.sources.get(name, ()) if source != name] if depth else []
        if not sources and name in self.strings:
            yield name
        for source in sources:
            yield from self._originals(source, depth=depth - 1)


class TextFields:
    """Thread-safe cache of the text fields of indexes, fetched with the permissions of each client."""

    def __init__(self, fetch: FetchMapping, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._mappings: TTLCache[tuple[object, ...], TextMapping] = TTLCache(MAX_CACHED, TTL_SECONDS, timer=clock)

    def of(self, call: SearchCall) -> TextMapping:
        """Returns the text fields of the indexes of *call*."""
        params = tuple((name, value) for name, value in call.params if name in INDEX_PARAMS)
        key = call.index, params, dict(call.headers).get("authorization", "")
        with self._lock:
            cached = self._mappings.get(key)
        if cached is not None:
            return cached
        path = f"/{quote(call.index, safe=',*-')}/_mapping" if call.index else "/_mapping"
        mapping = TextMapping.parse(self._fetch(call, f"{path}?{urlencode(params)}" if params else path))
        with self._lock:
            self._mappings[key] = mapping
        return mapping


def text_fields(mappings: object) -> tuple[str, ...]:
    """Returns the names of the text fields in a response to GET _mapping, at most MAX_FIELDS.

    Excludes copies of other fields (copy_to) and multi-fields, because the model would score their text twice. Fields
    of nested objects are used only if there are no others, because they usually repeat parts of another field.
    """
    plain: set[str] = set()
    nested: set[str] = set()
    copies: set[str] = set()
    for index in mappings.values() if isinstance(mappings, Mapping) else ():
        properties = index.get("mappings", {}).get("properties", {}) if isinstance(index, Mapping) else {}
        for name, entry, in_nested in _leaves(properties, "", nested=False):
            copies.update(_copy_targets(entry))
            if entry.get("type") in _TEXT_TYPES:
                (nested if in_nested else plain).add(name)
    names = plain - copies or nested - copies
    return tuple(sorted(names, key=lambda name: (_title_rank(name), name))[:MAX_FIELDS])


def _copy_targets(entry: Mapping[str, Any]) -> list[str]:
    targets = entry.get("copy_to", [])
    return [targets] if isinstance(targets, str) else list(targets)


def _repeats(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Yields the names of the fields that repeat the text of the field *name*."""
    yield from _copy_targets(entry)
    subfields = [*entry.get("fields", {})]
    if entry.get("type") == "search_as_you_type":
        subfields += ["_2gram", "_3gram", "_4gram", "_index_prefix"]
    for subfield in subfields:
        yield f"{name}.{subfield}"


def _leaves(
    properties: Mapping[str, Any], prefix: str, *, nested: bool
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, entry in properties.items():
        path = f"{prefix}{name}"
        if "properties" in entry:
            yield from _leaves(entry["properties"], f"{path}.", nested=nested or entry.get("type") == "nested")
        else:
            yield path, entry, nested


def _title_rank(name: str) -> int:
    last = name.rpartition(".")[2]
    return _TITLE_NAMES.index(last) if last in _TITLE_NAMES else len(_TITLE_NAMES)
