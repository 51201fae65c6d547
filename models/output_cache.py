"""What models have answered already: the least recently used answers go when the bytes are used up."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

_ENTRY_BYTES = 400
"""What an entry costs beside its value: the key, and its places in the cache's own tables (measured)."""
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """How often an answer was looked for, and how often it was there."""

    looked_up: int
    found: int


class OutputCache:
    """Answers by the hash of what was asked. Safe for many threads; 0 megabytes keep nothing."""

    def __init__(self, *, megabytes: int) -> None:
        self._entries: LRUCache[bytes, tuple[Any, int]] = LRUCache(
            maxsize=megabytes * _MEGABYTE, getsizeof=lambda entry: entry[1] + _ENTRY_BYTES
        )
        self._lock = threading.Lock()
        self._looked_up = self._found = 0

    def get(self, key: bytes) -> Any:
        """The answer that was put in under *key*; None when there is none."""
        with self._lock:
            self._looked_up += 1
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._found += 1
            return entry[0]

    def put(self, key: bytes, answer: Any, *, size: int) -> None:
        """Keep *answer*, of *size* bytes, for as long as there is room."""
        with self._lock:
            if size + _ENTRY_BYTES <= self._entries.maxsize:
                self._entries[key] = (answer, size)

    def counts(self) -> CacheCounts:
        """Since the cache was made."""
        with self._lock:
            return CacheCounts(self._looked_up, self._found)

    @property
    def bytes(self) -> int:
        """What the entries take."""
        with self._lock:
            return int(self._entries.currsize)


class CacheKeys:
    """The keys of one question: the same beginning for all of its texts."""

    def __init__(self, *asked: str) -> None:
        self._head = hashlib.blake2b(digest_size=16)
        for part in asked:
            encoded = part.encode(errors="surrogatepass")
            self._head.update(len(encoded).to_bytes(8, "big") + encoded)

    def key(self, text: str) -> bytes:
        """16 bytes. Texts are kept as hashes: smaller, and a memory dump shows no words."""
        digest = self._head.copy()
        digest.update(text.encode(errors="surrogatepass"))
        return digest.digest()
