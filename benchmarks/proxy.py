"""Overhead of the proxy, against nginx.

    python -m benchmarks.proxy [--opensearch FOLDER] [--rounds 15]

Needs nginx, wrk and an OpenSearch folder. Throughput: a match query of ten hits over 100,000 documents from 16
connections, through nginx and through the service, in turns on the same cores. Latency: one connection, server and
service in turns. Memory: peak of the service during a bulk body of 90 MB. Reranking: a search with a window of 100
against the server's response to the widened search. The reranker compares words and costs almost nothing, so that the
rest is the proxy's.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.interleaved import seconds
from tests.fakes import FakeReranker
from tests.opensearch_server import OpenSearchProcess, free_port
from tests.service.proxy.proxied_service import ProxiedService, start_proxy, wait_until_loaded

DOCUMENTS = 100_000
CONNECTIONS = 16
WARM_UP_SECONDS = 15
ROUND_SECONDS = 2
VOCABULARY = [f"w{i}" for i in range(5000)]
JSON = {"Content-Type": "application/json"}

NGINX = """
worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.err; daemon off;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream server {{ server {server}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
"""Plain configuration with keep-alive connections to the server and a worker per core."""

LUA = """
local n = 0
request = function()
  n = n + 1
  local words = "w"..(n * 7 % 5000).." w"..(n * 13 % 5000)
  local body = '{"query":{"match":{"text":"'..words..'"}}}'
  return wrk.format("POST", "/things/_search", {["Content-Type"] = "application/json"}, body)
end
"""


class Client:
    """HTTP client with one keep-alive connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port)

    def send(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> bytes:
        """Returns the response body. Raises RuntimeError on an error status."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, path, data, headers or JSON)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
        return content


def fill(url: str) -> None:
    """Indexes the documents: forty words each, drawn with a fixed seed."""
    draw = random.Random(1)
    client = Client(url)
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    client.send("PUT", "/things", {"settings": settings, "mappings": {"properties": {"text": {"type": "text"}}}})
    for start in range(0, DOCUMENTS, 5000):
        lines = []
        for i in range(start, start + 5000):
            lines += [
                json.dumps({"index": {"_id": str(i)}}),
                json.dumps({"text": " ".join(draw.choices(VOCABULARY, k=40))}),
            ]
        client.send(
            "POST", "/things/_bulk", ("\n".join(lines) + "\n").encode(), {"Content-Type": "application/x-ndjson"}
        )
    client.send("POST", "/things/_forcemerge?max_num_segments=1")
    client.send("POST", "/things/_refresh")


@dataclass(frozen=True)
class Route:
    """URL that reaches the server, and the process that forwards; None for the server itself."""

    url: str
    process: int | None = None

    def cpu_seconds(self) -> float:
        """Returns the CPU time of the process and its children."""
        if self.process is None:
            return 0.0
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        ticks = 0
        for number in (str(self.process), *children):
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def run_nginx(url: str, folder: Path) -> Iterator[Route]:
    """Runs nginx in front of the server."""
    port = free_port()
    folder.chmod(0o755)
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, server=url.removeprefix("http://"), port=port))
    process = subprocess.Popen(["nginx", "-c", str(configuration), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        yield Route(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait()


def requests_per_second(url: str, script: Path, duration: int) -> float:
    """Returns wrk's result. Raises RuntimeError on any status other than 200."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{duration}s", "-s", str(script), url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])


def throughput(server: Route, nginx: Route, service: Route, script: Path, *, rounds: int) -> None:
    """Prints the throughput of server, nginx and service in turns, and the CPU time per request of the last two."""
    script.write_text(LUA)
    # The server's just-in-time compiler needs a warm-up, or the first route would look slow.
    requests_per_second(server.url, script, WARM_UP_SECONDS)
    routes = (server, nginx, service)
    for route in routes:
        requests_per_second(route.url, script, ROUND_SECONDS)
    before = [route.cpu_seconds() for route in routes]
    rates_by_round = [
        [requests_per_second(route.url, script, ROUND_SECONDS) for route in routes] for _ in range(rounds)
    ]
    spent = [route.cpu_seconds() - start for route, start in zip(routes, before, strict=True)]
    ratios = [ours / theirs for _, theirs, ours in rates_by_round]
    columns = list(zip(*rates_by_round, strict=True))
    rates = [statistics.median(column) for column in columns]
    costs = [1000 * seconds_ / (sum(column) * ROUND_SECONDS) for seconds_, column in zip(spent, columns, strict=True)]
    print(f"requests/s: server {rates[0]:.0f}, nginx {rates[1]:.0f}, service {rates[2]:.0f}")
    print(f"service / nginx: {statistics.median(ratios):.0%} (rounds {min(ratios):.0%} to {max(ratios):.0%})")
    print(f"CPU ms per request: nginx {costs[1]:.2f}, service {costs[2]:.2f}")


def in_turns(first: Callable[[], object], second: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """Returns the median milliseconds of both, called in turns."""
    for _ in range(50):
        first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(rounds)]
    first_ms, second_ms = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    return first_ms, second_ms


def latency(server: str, service: str, *, rounds: int) -> None:
    """Prints the median latency that forwarding adds."""
    body = {"query": {"match": {"text": "w7 w13"}}}
    direct, through = Client(server), Client(service)
    direct_ms, proxied_ms = in_turns(
        lambda: direct.send("POST", "/things/_search", body),
        lambda: through.send("POST", "/things/_search", body),
        rounds=rounds,
    )
    print(
        f"median ms, one connection: server {direct_ms:.2f}, service {proxied_ms:.2f}, "
        f"added {proxied_ms - direct_ms:.2f}"
    )


def reranking(server: str, service: str, *, rounds: int) -> None:
    """Prints the latency of reranking, and of the server's response to the widened search."""
    query = {"query": {"match": {"text": "w7 w13"}}}
    direct, through = Client(server), Client(service)
    widened = {**query, "size": 100, "fields": ["text"]}
    reranked_search = {**query, "ext": {"rerank": {"window": 100, "fields": ["text"]}}}
    hits = json.loads(direct.send("POST", "/things/_search", widened))["hits"]["hits"]
    texts = [hit["fields"]["text"][0] for hit in hits]
    reranker = FakeReranker()
    model_ms = statistics.median(seconds(lambda: reranker.score("w7 w13", texts)) for _ in range(rounds)) * 1000
    direct_ms, reranked_ms = in_turns(
        lambda: direct.send("POST", "/things/_search", widened),
        lambda: through.send("POST", "/things/_search", reranked_search),
        rounds=rounds,
    )
    print(
        f"median ms, window 100: server's response {direct_ms:.2f}, the reranker {model_ms:.2f}, "
        f"reranked {reranked_ms:.2f}, added {reranked_ms - direct_ms - model_ms:.2f}"
    )


def memory(service: ProxiedService, *, megabytes: int = 90) -> None:
    """Prints the memory that the worker needs in addition while it forwards a bulk body."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    worker = Path(f"/proc/{children[0]}")
    line = json.dumps({"index": {}}) + "\n" + json.dumps({"text": "x" * 10_000}) + "\n"
    body = (line * (megabytes * 1_000_000 // len(line))).encode()
    before = _kilobytes(worker, "VmRSS")
    (worker / "clear_refs").write_text("5")
    Client(service.url).send("POST", "/large/_bulk", body, {"Content-Type": "application/x-ndjson"})
    added = (_kilobytes(worker, "VmHWM") - before) / 1024
    print(f"a bulk body of {len(body) / 1e6:.0f} MB: {added:.1f} MB more at the peak")


def _kilobytes(process: Path, name: str) -> int:
    return int(re.findall(rf"^{name}:\s+(\d+)", (process / "status").read_text(), re.MULTILINE)[0])


def main() -> None:
    """Runs all four measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opensearch", type=Path, default=Path("../shared/opensearch"))
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    # OpenSearch accepts bulk bodies of at most a tenth of its heap at once.
    os.environ.setdefault("OPENSEARCH_JAVA_OPTS", "-Xms1g -Xmx1g")
    server = OpenSearchProcess(options.opensearch)
    with tempfile.TemporaryDirectory(prefix="proxy-benchmark-") as name:
        folder = Path(name)
        try:
            server.start()
            fill(server.url)
            with run_nginx(server.url, folder) as nginx, start_proxy(server.url, folder) as service:
                wait_until_loaded(service)
                started = time.perf_counter()
                routes = Route(server.url), nginx, Route(service.url, service.process.pid)
                throughput(*routes, folder / "search.lua", rounds=options.rounds)
                latency(server.url, service.url, rounds=500)
                reranking(server.url, service.url, rounds=200)
                memory(service)
                print(f"measured in {time.perf_counter() - started:.0f} s")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
