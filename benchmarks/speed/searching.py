"""Searches over 100,000 passages through the service: alone, repeated, 16 at once, beyond the limit, and memory."""

from __future__ import annotations

import statistics
import sys
import time
from functools import lru_cache

from benchmarks.speed.context import Place
from benchmarks.speed.large_index import NAME, build
from benchmarks.speed.result import Line
from benchmarks.speed.serving import Service, clients, repeated, service
from rerank.index.opening import open_store
from rerank.models.loading import load_encoder

PASSAGES = 100_000
PORT = 8473
_CLIENTS = 16
_BEYOND = 40
_SEARCHES = 20
_QUERIES = 2_000


def measure(place: Place, *, requests: int = 2_000) -> list[Line]:
    """The goals for a whole search; *requests* are sent for the memory's sake (20,000 in the goal)."""
    store = open_store(str(place.folder / "large"))
    build(store, load_encoder("default"), dataset=place.dataset, passages=PASSAGES)
    store.close()
    command = [sys.executable, "-m", "rerank.cli", "serve", "--port", str(PORT), "--store", str(place.folder / "large")]
    with service(command, url=f"http://127.0.0.1:{PORT}", ready="/ready", log=place.folder / "serve.log") as ours:
        lines = [Line.at_most("memory before load", ours.megabytes, "MB", goal=500, detail=_counted(ours))]
        lines += _alone(ours, place)
        lines += _at_once(ours, place)
        lines += _beyond(ours, place)
        lines += _long(ours, place, requests)
    return lines


@lru_cache(maxsize=1)
def _queries(place: Place) -> list[str]:
    return place.passages(_QUERIES, words=6)


def _body(place: Place, number: int, **more: object) -> dict[str, object]:
    return {"index": NAME, "query": _queries(place)[number % _QUERIES], "timeout_ms": 60_000, **more}


def _alone(ours: Service, place: Place) -> list[Line]:
    bodies = [_body(place, i) for i in range(_SEARCHES)]
    ours.ask("/search", _body(place, 1_999))

    def took(i: int) -> float:
        begun = time.perf_counter()
        assert ours.ask("/search", bodies[i % _SEARCHES]).status == 200
        return (time.perf_counter() - begun) * 1000

    first, again = repeated(took, _SEARCHES), repeated(lambda _: took(_SEARCHES - 1), 20)
    how = "depth 100, hybrid, built-in models, over HTTP"
    return [
        Line.at_most("/search over 100,000 passages, p50", statistics.median(first), "ms", goal=250, detail=how),
        Line.at_most("the same search again, p50", statistics.median(again), "ms", goal=20, detail=how),
    ]


def _at_once(ours: Service, place: Place) -> list[Line]:
    bodies = [[_body(place, 100 + 20 * c + r, timeout_ms=2_000) for r in range(3)] for c in range(_CLIENTS)]
    met = clients(ours, "/search", bodies)
    failed = sum(len(took) for status, took in met.took.items() if status != 200)
    how = f"p50 {met.percentile(50):.2f} s, p95 {met.percentile(95):.2f} s, timeout_ms 2000"
    return [Line.at_most(f"{_CLIENTS} clients at once: failed", failed, "", goal=0, detail=how)]


def _beyond(ours: Service, place: Place) -> list[Line]:
    passages = place.passages(10 * (_BEYOND + _CLIENTS))

    def bodies(count: int) -> list[list[object]]:
        """Rerank calls, which are told when there is too much; a refused client comes again a few times."""
        return [
            [{"query": f"{c} {r} fever", "documents": passages[10 * c : 10 * c + 10]} for r in range(4)]
            for c in range(count)
        ]

    within, beyond = clients(ours, "/rerank", bodies(_CLIENTS)), clients(ours, "/rerank", bodies(_BEYOND))
    refused = len(beyond.took.get(429, []))
    other = sum(len(took) for status, took in beyond.took.items() if status not in (200, 429))
    how = f"p95 {beyond.percentile(95):.2f} s beside {within.percentile(95):.2f} s with {_CLIENTS} clients"
    return [
        Line.at_most(
            "beyond the limit: p95 of the rest / p95 before",
            beyond.percentile(95) / within.percentile(95),
            "",
            goal=1.25,
            detail=f"{_BEYOND} clients: {refused} refused with 429, {beyond.retry_after} with Retry-After; "
            f"other failures: {other}; {how}",
        )
    ]


def _long(ours: Service, place: Place, requests: int) -> list[Line]:
    half = requests // 2
    searches = [[_body(place, (c * 131 + i) % 1_500, depth=10) for i in range(half // 8)] for c in range(8)]
    clients(ours, "/search", searches)
    middle = ours.megabytes
    clients(ours, "/search", searches)
    after = ours.megabytes
    return [
        Line.at_most("memory under load", max(middle, after), "MB", goal=1_200, detail=_counted(ours)),
        Line.at_most("memory: end / middle", after / middle, "", goal=1.03, detail=f"{requests} requests, 8 clients"),
    ]


def _counted(ours: Service) -> str:
    return f"the service and its parent, Pss; Rss of both {ours.resident_megabytes:.0f} MB"
