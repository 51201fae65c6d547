"""HTTP server of the stub: routes, media types, compression, and the product header that clients require."""

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

from tests.elasticsearch.api_error import ApiError
from tests.elasticsearch.documents import SHARDS, Indexes
from tests.elasticsearch.searching import search

VERSION = "9.1.0"
SUPPORTED_VERSIONS = ("8", "9")
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+(json|x-ndjson); ?compatible-with=(\d+)")
_SCROLL_SIZE = 2
"""Hits per page of a scroll."""

ApiResponse = tuple[int, dict[str, Any]]


class Elasticsearch:
    """A server with its indexes, scrolls and points in time."""

    def __init__(self) -> None:
        self.indexes = Indexes()
        self._open: dict[str, Any] = {}
        """Index names of points in time, and the remaining hits of scrolls, by id."""

    def respond(self, method: str, target: str, body: bytes) -> ApiResponse:
        """Returns the response to one request. Raises ApiError."""
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query))
        for pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, f"{method} {parts.path}")
            if found:
                names = [unquote(group or "") for group in found.groups()]
                response: ApiResponse = handler(self, body, params, *names)
                return response
        raise ApiError(400, "illegal_argument_exception", f"no handler found for uri [{target}] and method [{method}]")

    def info(self, *_: object) -> ApiResponse:
        """Handles GET /."""
        version = {"number": VERSION, "build_flavor": "default", "build_type": "docker", "build_snapshot": False}
        minimum = {"minimum_wire_compatibility_version": "8.19.0", "minimum_index_compatibility_version": "8.0.0"}
        names = {"name": "stub", "cluster_name": "docker-cluster", "cluster_uuid": "x"}
        return 200, {**names, "version": version | minimum, "tagline": "You Know, for Search"}

    def search(self, body: bytes, params: dict[str, str], name: str = "") -> ApiResponse:
        """Handles _search. With the parameter `scroll` it returns the first page."""
        query = _parse(body)
        point = query.get("pit", {}).get("id")
        if point is not None and point not in self._open:
            raise ApiError(404, "search_context_missing_exception", f"No search context found for id [{point}]")
        name = self._open[point] if point else name
        found = search(name, self.indexes.named(name), query)
        if "scroll" in params:
            return 200, self._scroll_page(found)
        return 200, {"pit_id": point, **found} if point else found

    def multi_search(self, body: bytes, _: dict[str, str], name: str) -> ApiResponse:
        """Handles _msearch: each search succeeds or fails on its own."""
        lines = [json.loads(line) for line in body.splitlines()]
        responses: list[dict[str, Any]] = []
        for header, query in zip(lines[::2], lines[1::2], strict=True):
            index = header.get("index", name)
            try:
                responses.append({**search(index, self.indexes.named(index), query), "status": 200})
            except ApiError as exc:
                responses.append(exc.body)
        return 200, {"took": 1, "responses": responses}

    def scroll(self, body: bytes, *_: object) -> ApiResponse:
        """Handles _search/scroll: the next page."""
        hits = self._open.pop(_parse(body)["scroll_id"], None)
        if hits is None:
            raise ApiError(404, "search_context_missing_exception", "No search context found for id [1]")
        return 200, self._scroll_page(hits)

    def open_point(self, _: bytes, __: dict[str, str], name: str) -> ApiResponse:
        """Handles POST /index/_pit."""
        self.indexes.named(name)
        self._open[f"pit-{name}"] = name
        return 200, {"id": f"pit-{name}", "_shards": {**SHARDS, "skipped": 0}}

    def close(self, body: bytes, *_: object) -> ApiResponse:
        """Handles DELETE of a point in time or a scroll."""
        request = _parse(body)
        for context in [request.get("id"), *request.get("scroll_id", [])]:
            self._open.pop(context, None)
        return 200, {"succeeded": True, "num_freed": 1}

    def count(self, body: bytes, _: dict[str, str], name: str) -> ApiResponse:
        """Handles _count."""
        found = search(name, self.indexes.named(name), _parse(body))
        return 200, {"count": found["hits"]["total"]["value"], "_shards": {**SHARDS, "skipped": 0}}

    def mapping(self, _: bytes, __: dict[str, str], name: str) -> ApiResponse:
        """Handles GET /index, with its mapping only, and GET /index/_mapping."""
        return 200, {name: {"mappings": {"properties": self.indexes.named(name).properties}}}

    def _scroll_page(self, found: dict[str, Any]) -> dict[str, Any]:
        hits = found["hits"]["hits"]
        self._open["scroll-1"] = {**found, "hits": {**found["hits"], "hits": hits[_SCROLL_SIZE:]}}
        return {"_scroll_id": "scroll-1", **found, "hits": {**found["hits"], "hits": hits[:_SCROLL_SIZE]}}


_NAME = r"/([^/_][^/]*)"
_ROUTES: tuple[tuple[str, Any], ...] = (
    (r"(?:GET|HEAD) /", Elasticsearch.info),
    (rf"PUT {_NAME}", lambda es, body, _, name: (200, es.indexes.create(name, _parse(body)))),
    (rf"(?:GET|HEAD) {_NAME}", Elasticsearch.mapping),
    (rf"DELETE {_NAME}", lambda es, _, __, name: (200, es.indexes.delete(name))),
    (rf"PUT {_NAME}/_doc/([^/]+)", lambda es, body, _, name, doc: es.indexes.put(name, doc, _parse(body))),
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


def _parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError as exc:
        raise ApiError(400, "x_content_parse_exception", "[1:2] Unexpected character") from exc
    return value if isinstance(value, dict) else {}


def media_type(accept: str, sent: str) -> str:
    """Returns the content type of the response.

    Raises ApiError for an unsupported version, and for a version in only one of the headers.
    """
    accepted, given = _COMPATIBLE.search(accept), _COMPATIBLE.search(sent)
    for name, found in (("Accept", accepted), ("Content-Type", given)):
        if found and found[2] not in SUPPORTED_VERSIONS:
            reason = f"{name} version must be either version 9 or 8, but found {found[2]}. {name}={found[0]}"
            raise ApiError(400, "media_type_header_exception", reason)
    if sent and bool(accepted) != bool(given):
        reason = "A compatible version is required on both Content-Type and Accept headers if either one has requested"
        raise ApiError(400, "media_type_header_exception", f"{reason} a compatible version. Accept={accept}")
    return f"application/vnd.elasticsearch+json;compatible-with={accepted[2]}" if accepted else "application/json"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    elasticsearch: Elasticsearch

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = "application/json"
        try:
            kind = media_type(self.headers.get("Accept", ""), self.headers.get("Content-Type", ""))
            sent = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
            status, value = self.elasticsearch.respond(self.command, self.path, sent)
        except ApiError as exc:
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

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Discards the log line."""


@contextmanager
def elasticsearch_server() -> Iterator[str]:
    """Runs a server for the duration of a block and yields its URL."""
    handler = type("Handler", (_Handler,), {"elasticsearch": Elasticsearch()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
