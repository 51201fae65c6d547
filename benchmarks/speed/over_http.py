"""Rerank calls over HTTP, 8 clients with 50 passages each: ours against infinity with the same model."""

from __future__ import annotations

import sys

from benchmarks.sample_models import QUERY
from benchmarks.speed.context import Context
from benchmarks.speed.result import Result
from benchmarks.speed.serving import LoadResult, Service, run_clients, run_service

CLIENTS = 8
PASSAGES = 50
REQUESTS = 1
OURS, THEIRS = 8471, 8472


def measure(context: Context) -> list[Result]:
    """Returns requests per second and percentiles of both, in turns."""
    results: list[Result] = []
    own = ["env", "RERANK_SCORE_CACHE_MB=0", sys.executable, "-m", "rerank.cli", "serve", "--port", str(OURS)]
    own += ["--store", str(context.folder / "none"), "--reranker", str(context.cross_encoder())]
    with run_service(own, url=f"http://127.0.0.1:{OURS}", ready="/ready", log=context.folder / "ours.log") as ours:
        if context.peers is None:
            return _results("ours", [_run_load(ours, context, i) for i in range(2)])
        command = [str(context.peers.with_name("infinity_emb")), "v2", "--model-id", str(context.cross_encoder())]
        command += ["--port", str(THEIRS), "--device", "cpu", "--engine", "torch", "--no-bettertransformer"]
        command += ["--no-model-warmup", "--target-model-name", "default"]
        url = f"http://127.0.0.1:{THEIRS}"
        with run_service(command, url=url, ready="/health", log=context.folder / "infinity.log") as infinity:
            our_loads, their_loads = [], []
            for i in range(2):
                our_loads.append(_run_load(ours, context, i))
                their_loads.append(_run_load(infinity, context, i))
    results += _results("ours", our_loads) + _results("infinity", their_loads)
    faster = max(load.requests_per_second for load in our_loads) / max(load.requests_per_second for load in their_loads)
    p95 = min(load.percentile(95) for load in our_loads)
    their_p50 = min(load.percentile(50) for load in their_loads)
    how = f"{CLIENTS} clients, {PASSAGES} passages, no cache, the better of two runs in turns"
    results.append(Result.at_least("ours / infinity, requests/s", faster, "x", goal=5, detail=how))
    results.append(Result.at_most("our p95 / infinity's p50", p95 / their_p50, "", goal=1, detail=how))
    return results


def _run_load(target: Service, context: Context, run: int) -> LoadResult:
    passages = context.passages(CLIENTS * PASSAGES)
    bodies = [
        [
            {
                "model": "default",
                "query": f"{QUERY} {run} {client} {request}",
                "documents": passages[client * PASSAGES : (client + 1) * PASSAGES],
            }
            for request in range(REQUESTS)
        ]
        for client in range(CLIENTS)
    ]
    target.post("/rerank", bodies[0][0])
    return run_clients(target, "/rerank", bodies)


def _results(name: str, loads: list[LoadResult]) -> list[Result]:
    best = max(loads, key=lambda load: load.requests_per_second)
    detail = f"p50 {best.percentile(50):.2f} s, p95 {best.percentile(95):.2f} s"
    return [Result(f"HTTP requests/s: {name}", best.requests_per_second, "/s", detail=detail)]
