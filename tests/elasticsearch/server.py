"""The server: routes, the media types of its clients, compression, and the header that they look for."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.elasticsearch.documents import SHARDS, Indexes
from tests.elasticsearch.refused import Refused
from tests.elasticsearch.searching import search

VERSION = "9.1.0"
SPOKEN = ("8", "9")
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+(json|x-ndjson); ?compatible-with=(\d+)")
_PAGE = 2
"""Hits of a scroll's page."""

Answer = tuple[int, dict[str, Any]]


class Elasticsearch:
    """What it holds, and every search that it was asked."""

    def __init__(self) -> None:
        self.indexes = Indexes()
        self.searched: list[dict[str, Any]] = []
        self._open: dict[str, Any] = {}

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """The answer to one request. Raises Refused."""
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query))
        for pattern, answering in _ROUTES:
            found = re.fullmatch(pattern, f"{method} {parts.path}")
            if found:
                names = [unquote(group or "") for group in found.groups()]
                answered: Answer = answering(self, body, params, *names)
                return answered
        raise Refused(400, "illegal_argument_exception", f"no handler found for uri [{target}] and method [{method}]")

    def info(self, *_: object) -> Answer:
        """GET /."""
        version = {"number": VERSION, "build_flavor": "default", "build_type": "docker", "build_snapshot": False}
        lowest = {"minimum_wire_compatibility_version": "8.19.0", "minimum_index_compatibility_version": "8.0.0"}
        named = {"name": "stub", "cluster_name": "docker-cluster", "cluster_uuid": "x"}
        return 200, {**named, "version": version | lowest, "tagline": "You Know, for Search"}

    def search(self, body: bytes, params: dict[str, str], name: str = "") -> Answer:
        """_search; with `scroll` its first page."""
        asked = _read(body)
        self.searched.append(asked)
        point = asked.get("pit", {}).get("id")
        if point is not None and point not in self._open:
            raise Refused(404, "search_context_missing_exception", f"No search context found for id [{point}]")
        name = self._open[point] if point else name
        found = search(name, self.indexes.of(name), asked)
        if "scroll" in params:
            return 200, self._scrolled(found)
        return 200, {"pit_id": point, **found} if point else found

    def multi_search(self, body: bytes, _: dict[str, str], name: str) -> Answer:
        """_msearch: each answered or refused by itself."""
        lines = [json.loads(line) for line in body.splitlines()]
        responses: list[dict[str, Any]] = []
        for header, asked in zip(lines[::2], lines[1::2], strict=True):
            at = header.get("index", name)
            try:
                responses.append({**search(at, self.indexes.of(at), asked), "status": 200})
            except Refused as exc:
                responses.append(exc.body)
        return 200, {"took": 1, "responses": responses}

    def scroll(self, body: bytes, *_: object) -> Answer:
        """The next page."""
        hits = self._open.pop(_read(body)["scroll_id"], None)
        if hits is None:
            raise Refused(404, "search_context_missing_exception", "No search context found for id [1]")
        return 200, self._scrolled(hits)

    def open_point(self, _: bytes, __: dict[str, str], name: str) -> Answer:
        """POST /index/_pit."""
        self.indexes.of(name)
        self._open[f"pit-{name}"] = name
        return 200, {"id": f"pit-{name}", "_shards": {**SHARDS, "skipped": 0}}

    def close(self, body: bytes, *_: object) -> Answer:
        """DELETE of a point in time or a scroll."""
        ids = _read(body)
        for each in [ids.get("id"), *ids.get("scroll_id", [])]:
            self._open.pop(each, None)
        return 200, {"succeeded": True, "num_freed": 1}

    def count(self, body: bytes, _: dict[str, str], name: str) -> Answer:
        """_count."""
        found = search(name, self.indexes.of(name), _read(body))
        return 200, {"count": found["hits"]["total"]["value"], "_shards": {**SHARDS, "skipped": 0}}

    def mapping(self, _: bytes, __: dict[str, str], name: str) -> Answer:
        """GET /index, as much of it as is here, and /index/_mapping."""
        return 200, {name: {"mappings": {"properties": self.indexes.of(name).properties}}}

    def _scrolled(self, found: dict[str, Any]) -> dict[str, Any]:
        hits = found["hits"]["hits"]
        self._open["scroll-1"] = {**found, "hits": {**found["hits"], "hits": hits[_PAGE:]}}
        return {"_scroll_id": "scroll-1", **found, "hits": {**found["hits"], "hits": hits[:_PAGE]}}


_NAME = r"/([^/_][^/]*)"
_ROUTES: tuple[tuple[str, Any], ...] = (
    (r"(?:GET|HEAD) /", Elasticsearch.info),
    (rf"PUT {_NAME}", lambda es, body, _, name: (200, es.indexes.create(name, _read(body)))),
    (rf"(?:GET|HEAD) {_NAME}", Elasticsearch.mapping),
    (rf"DELETE {_NAME}", lambda es, _, __, name: (200, es.indexes.delete(name))),
    (rf"PUT {_NAME}/_doc/([^/]+)", lambda es, body, _, name, doc: es.indexes.put(name, doc, _read(body))),
    (rf"GET {_NAME}/_doc/([^/]+)", lambda es, _, __, name, doc: es.indexes.get(name, doc)),
    (rf"DELETE {_NAME}/_doc/([^/]+)", lambda es, _, __, name, doc: es.indexes.remove(name, doc)),
    (rf"(?:PUT|POST) (?:{_NAME})?/_bulk", lambda es, body, _, name: (200, es.indexes.bulk(name, body))),
    (rf"POST {_NAME}/_pit", Elasticsearch.open_point),
    (r"DELETE /_pit", Elasticsearch.close),
    (r"POST /_search/scroll", Elasticsearch.scroll),
    (r"DELETE /_search/scroll", Elasticsearch.close),
    (rf"(?:GET|POST) (?:{_NAME})?/_search", Elasticsearch.search),
    (rf"POST (?:{_NAME})?/_msearch", Elasticsearch.multi_search),
    (rf"POST {_NAME}/_count", Elasticsearch.count),
    (rf"GET {_NAME}/_mapping", Elasticsearch.mapping),
)


def _read(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError as exc:
        raise Refused(400, "x_content_parse_exception", "[1:2] Unexpected character") from exc
    return value if isinstance(value, dict) else {}


def media_type(accept: str, sent: str) -> str:
    """The answer's content type. Raises Refused for a version that is not spoken, or named on one side alone."""
    said, given = _COMPATIBLE.search(accept), _COMPATIBLE.search(sent)
    for name, found in (("Accept", said), ("Content-Type", given)):
        if found and found[2] not in SPOKEN:
            reason = f"{name} version must be either version 9 or 8, but found {found[2]}. {name}={found[0]}"
            raise Refused(400, "media_type_header_exception", reason)
    if sent and bool(said) != bool(given):
        reason = "A compatible version is required on both Content-Type and Accept headers if either one has requested"
        raise Refused(400, "media_type_header_exception", f"{reason} a compatible version. Accept={accept}")
    return f"application/vnd.elasticsearch+json;compatible-with={said[2]}" if said else "application/json"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    elasticsearch: Elasticsearch

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = "application/json"
        try:
            kind = media_type(self.headers.get("Accept", ""), self.headers.get("Content-Type", ""))
            sent = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
            status, value = self.elasticsearch.answer(self.command, self.path, sent)
        except Refused as exc:
            status, value = exc.status, exc.body
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("X-elastic-product", "Elasticsearch")
        self.send_header("Content-Type", kind)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
            data = gzip.compress(data)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def elasticsearch_server() -> Iterator[tuple[str, Elasticsearch]]:
    """Its address and what it holds, for the time of a block."""
    held = Elasticsearch()
    handler = type("Handler", (_Handler,), {"elasticsearch": held})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", held
        finally:
            server.shutdown()
            thread.join()
