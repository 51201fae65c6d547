"""8 clients at once, 50 passages each, over HTTP: ours against infinity with the same model."""

from __future__ import annotations

import sys

from benchmarks.sample_models import QUERY
from benchmarks.speed.context import Place
from benchmarks.speed.result import Line
from benchmarks.speed.serving import Served, Service, clients, service

CLIENTS = 8
PASSAGES = 50
REQUESTS = 1
OURS, THEIRS = 8471, 8472


def measure(place: Place) -> list[Line]:
    """Requests a second and percentiles of both, in turns."""
    lines: list[Line] = []
    own = ["env", "RERANK_SCORE_CACHE_MB=0", sys.executable, "-m", "rerank.cli", "serve", "--port", str(OURS)]
    own += ["--store", str(place.folder / "none"), "--reranker", str(place.cross_encoder())]
    with service(own, url=f"http://127.0.0.1:{OURS}", ready="/ready", log=place.folder / "ours.log") as ours:
        if place.peers is None:
            return _lines("ours", [_met(ours, place, i) for i in range(2)])
        command = [str(place.peers.with_name("infinity_emb")), "v2", "--model-id", str(place.cross_encoder())]
        command += ["--port", str(THEIRS), "--device", "cpu", "--engine", "torch", "--no-bettertransformer"]
        command += ["--no-model-warmup", "--served-model-name", "default"]
        url = f"http://127.0.0.1:{THEIRS}"
        with service(command, url=url, ready="/health", log=place.folder / "infinity.log") as infinity:
            ours_met, theirs_met = [], []
            for i in range(2):
                ours_met.append(_met(ours, place, i))
                theirs_met.append(_met(infinity, place, i))
    lines += _lines("ours", ours_met) + _lines("infinity", theirs_met)
    faster = max(one.a_second for one in ours_met) / max(one.a_second for one in theirs_met)
    p95 = min(one.percentile(95) for one in ours_met)
    their_p50 = min(one.percentile(50) for one in theirs_met)
    how = f"{CLIENTS} clients, {PASSAGES} passages, no cache, the better of two runs in turns"
    lines.append(Line.at_least("ours / infinity, requests a second", faster, "x", goal=5, detail=how))
    lines.append(Line.at_most("our p95 / infinity's p50", p95 / their_p50, "", goal=1, detail=how))
    return lines


def _met(served: Service, place: Place, run: int) -> Served:
    passages = place.passages(CLIENTS * PASSAGES)
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
    served.ask("/rerank", bodies[0][0])
    return clients(served, "/rerank", bodies)


def _lines(name: str, met: list[Served]) -> list[Line]:
    best = max(met, key=lambda one: one.a_second)
    detail = f"p50 {best.percentile(50):.2f} s, p95 {best.percentile(95):.2f} s"
    return [Line(f"HTTP requests a second: {name}", best.a_second, "/s", detail=detail)]
