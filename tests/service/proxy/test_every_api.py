"""Every method of opensearch-py, sent to OpenSearch and to the proxy: the responses are equal.

Each request is sent twice, on two indexes whose names have the same length. If the bytes differ, times, ids and
counters are masked. Responses with live statistics are compared by status and headers only.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opensearchpy import OpenSearch
from opensearchpy.connection import Connection

from tests.service.proxy.proxied_service import ProxiedService, Reply, send
from tests.service.proxy.sample_index import MATCH, fill, ids, rerank_ext

DIRECT, THROUGH = "compared-a", "compared-b"

LIVE = {
    "nodes.hot_threads",
    "nodes.stats",
    "tasks.list",
    "tasks.get",
    "tasks.cancel",
    "cat.tasks",
    "cat.nodes",
    "cat.segments",
    "cat.allocation",
    "cat.thread_pool",
    "cat.recovery",
    "cat.indices",
    "cat.shards",
    "cluster.stats",
    "cluster.state",
    "cluster.reroute",
    "indices.stats",
    "indices.segments",
    "indices.recovery",
    "list.indices",
    "list.shards",
}
"""APIs with live statistics, which differ in each response."""

EXCLUDED = {
    "indices.delete": "the tests need the indexes",
    "client.close": "closes the client",
    "client.bulk_stream": "sends a bulk request to an endpoint that requires a streaming transport",
    "cluster.put_decommission_awareness": "removes the node from the cluster",
    "indices.add_block": "blocks writing to the index",
    "indices.close": "closes the index",
}

WORD = "{index}-word"

ARGUMENTS: dict[str, Any] = {
    "id": "1",
    "body": {},
    "block": "write",
    "metric": "_all",
    "target": "another",
    "alias": "alias",
    "scroll_id": "none",
    "task_id": "node:1",
    "params": {},
}
"""Values of arguments by name. All others contain the name of the index, so that the indexes do not interfere."""

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

EXTRA_ARGUMENTS: dict[str, dict[str, Any]] = {
    "client.scroll": {"scroll_id": "none"},
    "client.clear_scroll": {"scroll_id": "none"},
    "client.index": {"id": "indexed"},
}
"""Arguments that methods require but do not declare, and an id that the server would otherwise generate."""

WRITING = {"client.bulk", "client.create", "client.index", "client.update", "client.delete", "client.update_by_query"}
"""APIs after which both indexes are refreshed."""

BODIES: dict[str, Any] = {
    "client.bulk": [{"index": {"_id": "bulk"}}, {"text": "è tea"}, {"delete": {"_id": "nowhere"}}],
    "client.msearch": [{}, {"query": MATCH}, {}, {"query": {"match_none": {}}}],
    "client.search": {"query": MATCH, "aggs": {"langs": {"terms": {"field": "lang"}}}},
    "client.count": {"query": MATCH},
    "client.create": {"text": "tea"},
    "client.index": {"text": "tea"},
    "client.update": {"doc": {"year": 1}},
    "client.mget": {"ids": ["1", "2", "none"]},
    "client.explain": {"query": MATCH},
    "client.delete_by_query": {"query": {"term": {"lang": "none"}}},
    "client.update_by_query": {"query": {"term": {"lang": "none"}}},
    "client.search_template": {"source": {"query": {"match_all": {}}}, "params": {}},
    "client.render_search_template": {"source": {"query": {"match_all": {}}}},
    "client.rank_eval": {
        "requests": [{"id": "q", "request": {"query": MATCH}, "ratings": []}],
        "metric": {"precision": {}},
    },
    "client.put_script": {"script": {"lang": "painless", "source": "1"}},
    "client.scripts_painless_execute": {"script": {"source": "1 + 1"}},
    "client.termvectors": {"fields": ["text"]},
    "indices.analyze": {"analyzer": "italian", "text": "perché è così"},
    "indices.put_mapping": {"properties": {"new": {"type": "keyword"}}},
    "indices.put_settings": {"index": {"refresh_interval": "1s"}},
    "indices.validate_query": {"query": MATCH},
    "indices.put_index_template": {"index_patterns": ["{index}-never-*"]},
    "indices.put_template": {"index_patterns": ["{index}-never-*"]},
    "indices.update_aliases": {"actions": []},
    "indices.simulate_template": {"index_patterns": ["{index}-never-*"]},
    "ingest.put_pipeline": {"processors": [{"set": {"field": "a", "value": 1}}]},
    "ingest.simulate": {"pipeline": {"processors": []}, "docs": [{"_source": {"a": 1}}]},
    "search_pipeline.put": {"request_processors": []},
    "cluster.put_settings": {"persistent": {"cluster.max_shards_per_node": 1000}},
    "cluster.put_component_template": {"template": {}},
    "cluster.allocation_explain": {"index": "{index}", "shard": 0, "primary": True},
}


@dataclass(frozen=True)
class Request:
    """A request that opensearch-py sends for one of its methods."""

    api: str
    method: str
    target: str
    body: bytes | None

    def on(self, index: str) -> Request:
        """Returns the same request for another index."""
        body = None if self.body is None else self.body.replace(b"{index}", index.encode())
        return Request(self.api, self.method, self.target.replace("%7Bindex%7D", index), body)


class RecordingConnection(Connection):
    """Connection that records the requests of opensearch-py instead of sending them."""

    sent: ClassVar[list[tuple[str, str, bytes | None]]] = []

    def perform_request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = None,
        ignore: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        target = f"{url}?{urlencode(params)}" if params else url
        self.sent.append((method, target, body.encode() if isinstance(body, str) else body))
        return 200, {}, "{}"


def requests() -> Iterator[Request]:
    """Yields one request for each method of the client and of its groups."""
    client = OpenSearch("http://nowhere:1", connection_class=RecordingConnection)
    groups = {"client": client} | {
        name: group
        for name, group in vars(client).items()
        if not name.startswith("_") and name not in ("transport", "plugins", "http")
    }
    for group_name, group in groups.items():
        for name, method in inspect.getmembers(group, inspect.ismethod):
            api = f"{group_name}.{name}"
            if name.startswith("_") or api in EXCLUDED:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                method(**dict(_arguments(api, method)) | EXTRA_ARGUMENTS.get(api, {}))
            verb, target, body = RecordingConnection.sent.pop()
            yield Request(api, verb, target, body)


def _arguments(api: str, method: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    parameters = inspect.signature(method).parameters
    known = ARGUMENTS if "index" in parameters else {**ARGUMENTS, "id": WORD}
    for name, parameter in parameters.items():
        if name == "body" and (api in BODIES or parameter.default is inspect.Parameter.empty):
            yield name, BODIES.get(api, {})
        elif name == "index" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            yield name, "{index}"
        elif parameter.default is inspect.Parameter.empty and parameter.kind in NAMED:
            yield name, known.get(name, WORD)


REQUESTS = list(requests())


@pytest.fixture(scope="module")
def _indexes(opensearch_url: str) -> Iterator[None]:
    for name in (DIRECT, THROUGH):
        fill(opensearch_url, name)
    yield
    for name in (DIRECT, THROUGH):
        send(opensearch_url, "DELETE", f"/{name}")


@pytest.mark.usefixtures("_indexes")
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request_: request_.api)
def test_every_api_returns_the_same_bytes(opensearch_proxy: ProxiedService, request_: Request) -> None:
    """Status, headers and body are the server's own, for successes and for errors."""
    kind = "application/x-ndjson" if request_.api in ("client.bulk", "client.msearch") else "application/json"
    headers = {} if request_.body is None else {"Content-Type": kind}
    replies = []
    for url, index in ((opensearch_proxy.server, DIRECT), (opensearch_proxy.url, THROUGH)):
        sent = request_.on(index)
        replies.append(send(url, sent.method, sent.target, sent.body, headers))
    if request_.api in WRITING:
        send(opensearch_proxy.server, "POST", f"/{DIRECT},{THROUGH}/_refresh")
    direct, proxied = replies
    assert (proxied.status, proxied.reason) == (direct.status, direct.reason)
    assert _compared_headers(proxied) == _compared_headers(direct)
    if request_.api not in LIVE:
        assert _equal(proxied.body, direct.body)


def _compared_headers(reply: Reply) -> dict[str, str]:
    """Returns the headers that the server set, except lengths, which masked parts influence."""
    set_by_proxy = {"date", "server", "connection", "content-length", "transfer-encoding", "warning"}
    return {name: value.replace(THROUGH, DIRECT) for name, value in reply.headers.items() if name not in set_by_proxy}


def _equal(proxied: bytes, direct: bytes) -> bool:
    """Returns True if the bytes are equal, ignoring parts that differ in each response."""
    return proxied == direct or _masked(proxied) == _masked(direct)


def _masked(body: bytes) -> bytes:
    body = body.replace(THROUGH.encode(), DIRECT.encode())
    body = re.sub(rb"[A-Za-z0-9_-]{20,}={0,2}", b"ID", body)
    return re.sub(rb"[\d.]+(?:kb|mb|gb|ms|micros|nanos|[bsmhd])?|\s+", b"0", body)


def test_every_method_of_the_client_is_covered() -> None:
    """opensearch-py offers hundreds of methods in dozens of groups."""
    assert len({request.api.partition(".")[0] for request in REQUESTS}) >= 35
    assert len(REQUESTS) >= 450
    assert {*BODIES, *LIVE} <= {request.api for request in REQUESTS}


_WORDS = st.sampled_from(["tea", "green", "leaves", "caffè", "zzz"])
_CLAUSES: st.SearchStrategy[Any] = st.recursive(
    st.builds(lambda word: {"match": {"everything": word}}, _WORDS)
    | st.builds(lambda word: {"multi_match": {"query": word, "fields": ["title", "text^2"]}}, _WORDS)
    | st.builds(lambda lang: {"term": {"lang": lang}}, st.sampled_from(["en", "it", "de"]))
    | st.builds(lambda year: {"range": {"year": {"gte": year}}}, st.integers(1999, 2010))
    | st.just({"match_all": {}})
    | st.just({"no_such_clause": {}}),
    lambda inner: (
        st.builds(
            lambda kind, clauses: {"bool": {kind: clauses}},
            st.sampled_from(["must", "should", "filter", "must_not"]),
            st.lists(inner, max_size=3),
        )
        | st.builds(lambda clause: {"constant_score": {"filter": clause}}, inner)
    ),
    max_leaves=5,
)
_SEARCHES = st.fixed_dictionaries(
    {"query": _CLAUSES},
    optional={
        "size": st.integers(-1, 12),
        "from": st.integers(0, 5),
        "_source": st.sampled_from([False, True, ["title"], "ye*", {"excludes": ["vector"]}]),
        "sort": st.sampled_from(["_score", ["year"], [{"year": "desc"}, "_score"], [{"nothing": "asc"}]]),
        "fields": st.lists(st.sampled_from(["title", "year", "l*"]), max_size=2),
        "aggs": st.just({"langs": {"terms": {"field": "lang"}}}),
        "track_total_hits": st.sampled_from([True, False, 3]),
        "highlight": st.just({"fields": {"text": {}}}),
        "collapse": st.just({"field": "lang"}),
        "explain": st.booleans(),
        "unknown_key": st.just(1),
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(search=_SEARCHES)
@pytest.mark.usefixtures("_indexes")
def test_any_search_returns_the_same_bytes(opensearch_proxy: ProxiedService, search: dict[str, Any]) -> None:
    """Except for `took`, the response is the server's own."""
    target = f"/{DIRECT}/_search"
    direct = send(opensearch_proxy.server, "POST", target, search)
    proxied = opensearch_proxy.send("POST", target, search)
    assert (proxied.status, _compared_headers(proxied)) == (direct.status, _compared_headers(direct))
    assert _timeless(proxied.body) == _timeless(direct.body)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(search=_SEARCHES)
@pytest.mark.usefixtures("_indexes")
def test_reranking_never_causes_an_error(opensearch_proxy: ProxiedService, search: dict[str, Any]) -> None:
    """The status is the server's own, and so are the hits, in any order."""
    target = f"/{DIRECT}/_search"
    direct = send(opensearch_proxy.server, "POST", target, search)
    proxied = opensearch_proxy.send("POST", target, {**search, "ext": rerank_ext()})
    assert proxied.status == direct.status
    assert proxied.headers["x-rerank-applied"] in ("true", "false")
    if direct.status == 200:
        proxied_json, direct_json = proxied.json(), direct.json()
        assert len(ids(proxied)) == len(ids(direct))
        assert proxied_json["hits"].get("total") == direct_json["hits"].get("total")
        assert proxied_json.get("aggregations") == direct_json.get("aggregations")


def _timeless(body: bytes) -> bytes:
    return re.sub(rb'"took":\d+', b"", body)
