"""Rankings that are kept for a while, so that the second page goes on where the first one ended."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rerank.core.search import RerankReport
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hits import Placed
from rerank.service.proxy.search.plan import Plan

KEEP_SECONDS = 300.0
MAX_RANKINGS = 500
MAX_PLACES = 200_000
"""Hits in all kept rankings together: some 60 MB."""

_ONLY_SHOWN = frozenset(
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
"""What changes how an answer looks, and not which hits it has in which order."""


@dataclass(frozen=True, slots=True)
class KeptRanking:
    """A ranking as the client has seen it. `total` is `hits.total` of its first page."""

    order: tuple[Placed, ...]
    report: RerankReport
    total: Any


class KeptRankings:
    """The last rankings, each for some minutes, by a fingerprint of the search. Safe for threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, KeptRanking]] = OrderedDict()
        self._places = 0

    def get(self, fingerprint: str) -> KeptRanking | None:
        """The ranking kept under *fingerprint*, unless it is too old."""
        with self._lock:
            found = self._kept.get(fingerprint)
        return found[1] if found is not None and self._clock() - found[0] < KEEP_SECONDS else None

    def put(self, fingerprint: str, ranking: KeptRanking) -> None:
        """Keep *ranking*; those that were put first make room. One that is too long by itself is not kept."""
        with self._lock:
            self._drop(fingerprint)
            if len(ranking.order) > MAX_PLACES:
                return
            self._kept[fingerprint] = self._clock(), ranking
            self._places += len(ranking.order)
            while len(self._kept) > MAX_RANKINGS or self._places > MAX_PLACES:
                self._drop(next(iter(self._kept)))

    def _drop(self, fingerprint: str) -> None:
        found = self._kept.pop(fingerprint, None)
        if found is not None:
            self._places -= len(found[1].order)


def fingerprint(plan: Plan) -> str:
    """What two pages of one ranking have in common: the search and who asks, but for what is only shown."""
    call: SearchCall = plan.call
    asked = plan.asked
    parts = [
        call.index,
        sorted((name, value) for name, value in call.params if name not in _ONLY_SHOWN),
        {key: value for key, value in call.body.items() if key not in _ONLY_SHOWN | {"pit"}},
        (call.body.get("pit") or {}).get("id") if isinstance(call.body.get("pit"), dict) else None,
        [plan.query_text, asked.window, asked.min_score, asked.model, asked.explain, asked.by_chunk],
        list(plan.texts.names),
        [value for name, value in call.headers if name == "authorization"],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
