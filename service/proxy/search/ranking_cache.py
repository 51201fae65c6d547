"""Cache of rankings, from which the proxy builds the second and later pages of a search."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from rerank.core.search import RerankReport
from rerank.service.proxy.search.hits import RankedHit
from rerank.service.proxy.search.plan import Plan

TTL_SECONDS = 300.0
MAX_RANKINGS = 500
MAX_HITS = 200_000
"""Total hits of all cached rankings, about 60 MB."""

_MIN_SIZE = MAX_HITS // MAX_RANKINGS
"""Minimum size of a ranking, so that the cache's size limit also limits the number of rankings."""

_PRESENTATION_KEYS = frozenset(
    {
        "from",
        "size",
        "_source",
        "_source_includes",
        "_source_excludes",
        "fields",
        "stored_fields",
        "docvalue_fields",
        "script_fields",
        "highlight",
        "aggs",
        "aggregations",
        "suggest",
        "track_total_hits",
        "rest_total_hits_as_int",
        "explain",
        "profile",
        "version",
        "seq_no_primary_term",
        "timeout",
        "stats",
        "pretty",
        "human",
        "error_trace",
        "typed_keys",
    }
)
"""Keys and parameters that change the presentation of the hits, but neither the hits nor their order."""


@dataclass(frozen=True, slots=True)
class CachedRanking:
    """A ranking as the client received it. `total` is `hits.total` of its first page, `fields` the scored fields."""

    order: tuple[RankedHit, ...]
    report: RerankReport
    total: Any
    fields: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The number of hits that counts towards MAX_HITS."""
        return max(len(self.order), _MIN_SIZE)


class RankingCache:
    """Thread-safe cache of rankings by the fingerprint of their search."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._rankings: TTLCache[str, CachedRanking] = TTLCache(
            MAX_HITS, TTL_SECONDS, timer=clock, getsizeof=lambda ranking: ranking.size
        )

    def get(self, fingerprint: str) -> CachedRanking | None:
        """Returns the ranking of *fingerprint*, or None if it is not cached or older than TTL_SECONDS."""
        with self._lock:
            return self._rankings.get(fingerprint)

    def put(self, fingerprint: str, ranking: CachedRanking) -> None:
        """Stores *ranking* and evicts the least recently used ones. A ranking above MAX_HITS is not stored."""
        with self._lock:
            self._rankings.pop(fingerprint, None)
            if ranking.size <= MAX_HITS:
                self._rankings[fingerprint] = ranking


def fingerprint(plan: Plan) -> str:
    """Returns a hash of everything that determines the ranking of *plan*: the search, its options and its client."""
    call, options = plan.call, plan.options
    pit = call.body.get("pit")
    parts = [
        call.index,
        sorted((name, value) for name, value in call.params if name not in _PRESENTATION_KEYS),
        {key: value for key, value in call.body.items() if key not in _PRESENTATION_KEYS | {"pit"}},
        (pit or {}).get("id") if isinstance(pit, dict) else None,
        [
            plan.query_text,
            options.window,
            options.min_score,
            options.model,
            options.explain,
            options.best_chunk,
        ],
        list(plan.texts.names),
        [value for name, value in call.headers if name == "authorization"],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
