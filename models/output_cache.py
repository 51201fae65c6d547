"""LRU cache of model outputs with a limit in bytes."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

_ENTRY_BYTES = 400
"""Bytes of an entry in addition to its value: key and bookkeeping of the cache (measured)."""
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """Numbers of cache lookups and hits."""

    lookups: int
    hits: int


class OutputCache:
    """Thread-safe LRU cache of model outputs by key. With 0 megabytes it stores nothing."""

    def __init__(self, *, megabytes: int) -> None:
        self._entries: LRUCache[bytes, tuple[Any, int]] = LRUCache(
            maxsize=megabytes * _MEGABYTE, getsizeof=lambda entry: entry[1] + _ENTRY_BYTES
        )
        self._lock = threading.Lock()
        self._lookups = self._hits = 0

    def get(self, key: bytes) -> Any:
        """Returns the output stored under *key*, or None."""
        with self._lock:
            self._lookups += 1
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._hits += 1
            return entry[0]

    def put(self, key: bytes, output: Any, *, size: int) -> None:
        """Stores *output*, of *size* bytes, and evicts the least recently used entries if necessary."""
        with self._lock:
            if size + _ENTRY_BYTES <= self._entries.maxsize:
                self._entries[key] = (output, size)

    def counts(self) -> CacheCounts:
        """Returns the counts since the cache was created."""
        with self._lock:
            return CacheCounts(self._lookups, self._hits)

    @property
    def bytes(self) -> int:
        """Size of all entries."""
        with self._lock:
            return int(self._entries.currsize)


class CacheKeys:
    """Cache keys of texts that share a *prefix*, such as a model fingerprint and a query."""

    def __init__(self, *prefix: str) -> None:
        self._prefix = hashlib.blake2b(digest_size=16)
        for part in prefix:
            encoded = part.encode(errors="surrogatepass")
            self._prefix.update(len(encoded).to_bytes(8, "big") + encoded)

    def key(self, text: str) -> bytes:
        """Returns the key of *text*, 16 bytes. Hashes are smaller than texts, and keep texts out of memory dumps."""
        digest = self._prefix.copy()
        digest.update(text.encode(errors="surrogatepass"))
        return digest.digest()
