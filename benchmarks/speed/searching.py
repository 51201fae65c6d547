"""Searches over 100,000 passages through the service: one client, 16 clients, more clients than slots, and memory."""

from __future__ import annotations

import statistics
import sys
import time
from functools import lru_cache

from benchmarks.speed.context import Context
from benchmarks.speed.large_index import NAME, build
from benchmarks.speed.result import Result
from benchmarks.speed.serving import Service, run_clients, run_service
from rerank.index.opening import open_store
from rerank.models.loading import load_encoder

PASSAGES = 100_000
PORT = 8473
_CLIENTS = 16
_OVERLOAD_CLIENTS = 40
_SEARCHES = 20
_QUERIES = 2_000


def measure(context: Context, *, requests: int = 2_000) -> list[Result]:
    """Returns the results for searches. *requests* is the number for the memory measurement (20,000 in the goal)."""
    store = open_store(str(context.folder / "large"))
    build(store, load_encoder("default"), dataset=context.dataset, passages=PASSAGES)
    store.close()
    command = [
        sys.executable,
        "-m",
        "rerank.cli",
        "serve",
        "--port",
        str(PORT),
        "--store",
        str(context.folder / "large"),
    ]
    with run_service(command, url=f"http://127.0.0.1:{PORT}", ready="/ready", log=context.folder / "serve.log") as ours:
        results = [Result.at_most("memory before load", ours.megabytes, "MB", goal=500, detail=_memory_detail(ours))]
        results += _single(ours, context)
        results += _concurrent(ours, context)
        results += _overload(ours, context)
        results += _memory(ours, context, requests)
    return results


@lru_cache(maxsize=1)
def _queries(context: Context) -> list[str]:
    return context.passages(_QUERIES, words=6)


def _body(context: Context, number: int, **more: object) -> dict[str, object]:
    return {"index": NAME, "query": _queries(context)[number % _QUERIES], "timeout_ms": 60_000, **more}


def _single(ours: Service, context: Context) -> list[Result]:
    bodies = [_body(context, i) for i in range(_SEARCHES)]
    ours.post("/search", _body(context, 1_999))

    def milliseconds(i: int) -> float:
        started = time.perf_counter()
        assert ours.post("/search", bodies[i % _SEARCHES]).status == 200
        return (time.perf_counter() - started) * 1000

    first, again = [milliseconds(i) for i in range(_SEARCHES)], [milliseconds(_SEARCHES - 1) for _ in range(20)]
    how = "depth 100, hybrid, built-in models, over HTTP"
    return [
        Result.at_most("/search over 100,000 passages, p50", statistics.median(first), "ms", goal=250, detail=how),
        Result.at_most("the same search again, p50", statistics.median(again), "ms", goal=20, detail=how),
    ]


def _concurrent(ours: Service, context: Context) -> list[Result]:
    bodies = [[_body(context, 100 + 20 * c + r, timeout_ms=2_000) for r in range(3)] for c in range(_CLIENTS)]
    load = run_clients(ours, "/search", bodies)
    failed = sum(len(values) for status, values in load.seconds_by_status.items() if status != 200)
    how = f"p50 {load.percentile(50):.2f} s, p95 {load.percentile(95):.2f} s, timeout_ms 2000"
    return [Result.at_most(f"{_CLIENTS} clients at once: failed", failed, "", goal=0, detail=how)]


def _overload(ours: Service, context: Context) -> list[Result]:
    passages = context.passages(10 * (_OVERLOAD_CLIENTS + _CLIENTS))

    def bodies(count: int) -> list[list[object]]:
        """Returns rerank calls, which the service refuses under overload; each client sends several."""
        return [
            [{"query": f"{c} {r} fever", "documents": passages[10 * c : 10 * c + 10]} for r in range(4)]
            for c in range(count)
        ]

    normal, overload = (
        run_clients(ours, "/rerank", bodies(_CLIENTS)),
        run_clients(ours, "/rerank", bodies(_OVERLOAD_CLIENTS)),
    )
    refused = len(overload.seconds_by_status.get(429, []))
    other = sum(len(values) for status, values in overload.seconds_by_status.items() if status not in (200, 429))
    how = f"p95 {overload.percentile(95):.2f} s against {normal.percentile(95):.2f} s with {_CLIENTS} clients"
    return [
        Result.at_most(
            "overload: p95 of accepted calls / p95 before",
            overload.percentile(95) / normal.percentile(95),
            "",
            goal=1.25,
            detail=f"{_OVERLOAD_CLIENTS} clients: {refused} refused with 429, {overload.retry_after} with Retry-After; "
            f"other failures: {other}; {how}",
        )
    ]


def _memory(ours: Service, context: Context, requests: int) -> list[Result]:
    half = requests // 2
    searches = [[_body(context, (c * 131 + i) % 1_500, depth=10) for i in range(half // 8)] for c in range(8)]
    run_clients(ours, "/search", searches)
    middle = ours.megabytes
    run_clients(ours, "/search", searches)
    after = ours.megabytes
    return [
        Result.at_most("memory under load", max(middle, after), "MB", goal=1_200, detail=_memory_detail(ours)),
        Result.at_most("memory: end / middle", after / middle, "", goal=1.03, detail=f"{requests} requests, 8 clients"),
    ]


def _memory_detail(ours: Service) -> str:
    return f"Pss of the service and its parent; sum of their Rss {ours.resident_megabytes:.0f} MB"
