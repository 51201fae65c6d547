"""Detection of the text fields of an index from its mapping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from cachetools import TTLCache

from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.rerank_options import MAX_FIELDS

TTL_SECONDS = 60.0
MAX_CACHED = 1000
_TEXT_TYPES = frozenset({"text", "match_only_text", "search_as_you_type", "semantic_text"})
_TITLE_NAMES = ("title", "name", "heading", "headline", "subject")

FetchMapping = Callable[[SearchCall, str], object]
"""Function that returns the JSON of GET on a target with the headers of a search, or None on an error."""


class TextFields:
    """Thread-safe cache of the text fields of indexes, fetched with the permissions of each client."""

    def __init__(self, fetch: FetchMapping, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._fields: TTLCache[tuple[str, str], tuple[str, ...]] = TTLCache(MAX_CACHED, TTL_SECONDS, timer=clock)

    def of(self, call: SearchCall) -> tuple[str, ...]:
        """Returns the text fields of the indexes of *call*, titles first, or () if the mapping is unavailable."""
        key = call.index, dict(call.headers).get("authorization", "")
        with self._lock:
            cached = self._fields.get(key)
        if cached is not None:
            return cached
        path = f"/{quote(call.index, safe=',*-')}/_mapping" if call.index else "/_mapping"
        fields = text_fields(self._fetch(call, path))
        with self._lock:
            self._fields[key] = fields
        return fields


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
            targets = entry.get("copy_to", [])
            copies.update([targets] if isinstance(targets, str) else targets)
            if entry.get("type") in _TEXT_TYPES:
                (nested if in_nested else plain).add(name)
    names = plain - copies or nested - copies
    return tuple(sorted(names, key=lambda name: (_title_rank(name), name))[:MAX_FIELDS])


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
