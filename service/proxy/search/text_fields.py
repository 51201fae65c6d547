"""Which fields of an index hold text, from its mapping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from rerank.service.proxy.search.asked import MAX_FIELDS
from rerank.service.proxy.search.call import SearchCall

FRESH_SECONDS = 60.0
MAX_KEPT = 1000
_TEXT = frozenset({"text", "match_only_text", "search_as_you_type", "semantic_text"})
_TITLES = ("title", "name", "heading", "headline", "subject")

FetchMapping = Callable[[SearchCall, str], object]
"""The JSON of GET on a target, asked with the headers of a call; None where there is none."""


class TextFields:
    """The text fields of indexes, asked with the client's own rights and kept for a minute. Safe for threads."""

    def __init__(self, fetch: FetchMapping, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}

    def of(self, call: SearchCall) -> tuple[str, ...]:
        """The text fields of the call's indexes, titles first; empty where the mapping cannot be read."""
        key = call.index, dict(call.headers).get("authorization", "")
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < FRESH_SECONDS:
            return kept[1]
        path = f"/{quote(call.index, safe=',*-')}/_mapping" if call.index else "/_mapping"
        fields = text_fields(self._fetch(call, path))
        with self._lock:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = self._clock(), fields
        return fields


def text_fields(mappings: object) -> tuple[str, ...]:
    """The names of the text fields in the answer to GET _mapping, at most MAX_FIELDS.

    What is only a copy of other fields (copy_to) or another way of indexing one (multi-fields) would be read twice,
    and is left out. Fields of nested objects are taken only where there are no others: they are parts of a text that
    is there as a whole.
    """
    plain: set[str] = set()
    nested: set[str] = set()
    copies: set[str] = set()
    for index in mappings.values() if isinstance(mappings, Mapping) else ():
        properties = index.get("mappings", {}).get("properties", {}) if isinstance(index, Mapping) else {}
        for name, entry, within in _leaves(properties, "", within=False):
            targets = entry.get("copy_to", [])
            copies.update([targets] if isinstance(targets, str) else targets)
            if entry.get("type") in _TEXT:
                (nested if within else plain).add(name)
    names = plain - copies or nested - copies
    return tuple(sorted(names, key=lambda name: (_place(name), name))[:MAX_FIELDS])


def _leaves(
    properties: Mapping[str, Any], prefix: str, *, within: bool
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, entry in properties.items():
        path = f"{prefix}{name}"
        if "properties" in entry:
            yield from _leaves(entry["properties"], f"{path}.", within=within or entry.get("type") == "nested")
        else:
            yield path, entry, within


def _place(name: str) -> int:
    last = name.rpartition(".")[2]
    return _TITLES.index(last) if last in _TITLES else len(_TITLES)
