"""Searches that request reranking, on a real server."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from rerank.service.proxy.search.call import decompress_body
from rerank.service.proxy.search.filter_path import FilterPath
from tests.service.proxy.proxied_service import ProxiedService, Reply, send
from tests.service.proxy.sample_index import (
    DOCUMENTS,
    INDEX,
    MATCH,
    QUERY,
    fill,
    ids,
    rerank_ext,
    rerank_result,
    search,
)


@pytest.fixture(scope="module", autouse=True)
def _sample_index(opensearch_url: str) -> None:
    fill(opensearch_url)


def direct(service: ProxiedService, body: object, target: str = f"/{INDEX}/_search") -> Reply:
    """Sends the same search to the server itself."""
    return send(service.server, "POST", target, body)


def test_hits_are_reranked(opensearch_proxy: ProxiedService) -> None:
    """The response is the server's own, with reranked hits, both scores, and headers."""
    body = {"query": MATCH, "size": 3}
    plain = direct(opensearch_proxy, {**body, "size": 10}).json()
    reply = search(opensearch_proxy, {**body, "ext": rerank_ext()})
    response = reply.json()
    assert (reply.status, rerank_result(reply), reply.headers["x-rerank-model"]) == (200, ("true", ""), "fake-reranker")
    assert float(reply.headers["x-rerank-took"]) > 0
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert set(ids(reply)[:2]) == {"2", "4"}
    before = {hit["_id"]: (rank, hit) for rank, hit in enumerate(plain["hits"]["hits"], start=1)}
    for hit in response["hits"]["hits"]:
        rank, unranked = before[hit["_id"]]
        details = hit.pop("_rerank")
        assert details == {
            "retrieval_rank": rank,
            "retrieval_score": pytest.approx(unranked["_score"], abs=1e-7),
            "score": hit["_score"],
        }
        assert {**hit, "_score": unranked["_score"]} == unranked
    scores = [hit["_score"] for hit in response["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert response["hits"]["max_score"] == scores[0]
    assert response["hits"]["total"] == plain["hits"]["total"]
    report = response["_rerank"]
    assert (report["applied"], report["reason"], report["candidates"], report["scored"]) == (True, None, 7, 7)


def test_scores_are_short_floating_point_literals(opensearch_proxy: ProxiedService) -> None:
    """A literal has at most 18 characters, because json-smart parses longer ones as another type."""
    text = search(opensearch_proxy, {"query": MATCH, "ext": rerank_ext()}).body.decode()
    literals = [part.split(",")[0].rstrip("}") for part in text.split('score":')[1:]]
    assert len(literals) > 10
    assert [literal for literal in literals if len(literal) > 18 or not set(".e") & set(literal)] == []


@pytest.mark.parametrize(
    "query",
    [
        {"match": {"everything": QUERY}},
        {"match": {"everything": {"query": QUERY, "operator": "or"}}},
        {"multi_match": {"query": QUERY, "fields": ["title", "text"]}},
        {"query_string": {"query": "everything:(green OR tea) leaves"}},
        {"simple_query_string": {"query": QUERY, "fields": ["everything"]}},
        {"bool": {"should": [{"match": {"everything": QUERY}}], "filter": [{"range": {"year": {"gte": 1000}}}]}},
        {"function_score": {"query": {"match": {"everything": QUERY}}}},
        {"dis_max": {"queries": [{"match": {"title": QUERY}}, {"match": {"text": QUERY}}]}},
    ],
)
def test_query_text_is_taken_from_the_query(opensearch_proxy: ProxiedService, query: dict[str, Any]) -> None:
    """The client need not repeat a text that the query contains."""
    reply = search(opensearch_proxy, {"query": query, "ext": rerank_ext()})
    assert (reply.status, rerank_result(reply)) == (200, ("true", ""))
    assert set(ids(reply)[:2]) == {"2", "4"}


def test_query_context_defines_the_query_text(opensearch_proxy: ProxiedService) -> None:
    """The text is query_text, or the string in the body at query_text_path."""
    body = {"query": {"match": {"everything": "tea"}}}
    by_path = {**body, "ext": rerank_ext(query_context={"query_text_path": "query.match.everything"})}
    assert rerank_result(search(opensearch_proxy, by_path)) == ("true", "")
    by_text = {"query": {"match_all": {}}, "ext": rerank_ext(query_context={"query_text": "amaro caffè"})}
    assert ids(search(opensearch_proxy, by_text))[0] == "8"


def test_query_text_is_taken_from_the_url(opensearch_proxy: ProxiedService) -> None:
    """The parameter `q` is a query string."""
    reply = search(opensearch_proxy, {"ext": rerank_ext()}, f"/{INDEX}/_search?q=everything:green+AND+tea")
    assert (rerank_result(reply), set(ids(reply)[:2])) == (("true", ""), {"2", "4"})


@pytest.mark.parametrize(
    ("ext", "field"),
    [
        (5, "ext.rerank"),
        ([], "ext.rerank"),
        ({"window": 10_001}, "ext.rerank.window"),
        ({"window": 0}, "ext.rerank.window"),
        ({"window": "5"}, "ext.rerank.window"),
        ({"windows": 5}, "ext.rerank.windows"),
        ({"fields": []}, "ext.rerank.fields"),
        ({"fields": "title"}, "ext.rerank.fields"),
        ({"min_score": "high"}, "ext.rerank.min_score"),
        ({"timeout_ms": 0}, "ext.rerank.timeout_ms"),
        ({"explain": "yes"}, "ext.rerank.explain"),
        ({"query_context": "tea"}, "ext.rerank.query_context"),
        ({"query_context": {"query_text": " "}}, "ext.rerank.query_context.query_text"),
        ({"query_context": {"query_text": "a", "query_text_path": "query.match.text"}}, "ext.rerank.query_context"),
        ({"query_context": {"query_text_path": "query.nowhere"}}, "ext.rerank.query_context.query_text_path"),
    ],
)
def test_invalid_option_returns_400_with_its_key(opensearch_proxy: ProxiedService, ext: object, field: str) -> None:
    """The field is the path of the key."""
    reply = search(opensearch_proxy, {"query": MATCH, "ext": {"rerank": ext}})
    assert (reply.status, reply.json()["field"], reply.json()["error_type"]) == (400, field, "Validation")


def test_model_option_selects_a_model(opensearch_proxy: ProxiedService) -> None:
    """The models in the settings are valid. An unknown one returns 404."""
    assert search(opensearch_proxy, {"query": MATCH, "ext": rerank_ext(model="nope")}).status == 404
    reply = search(opensearch_proxy, {"query": MATCH, "ext": rerank_ext(model="other")})
    assert reply.headers["x-rerank-model"] == "other"


def test_other_extensions_are_forwarded(opensearch_proxy: ProxiedService) -> None:
    """OpenSearch refuses an unknown extension, as it does without the proxy."""
    reply = search(opensearch_proxy, {"query": MATCH, "ext": {**rerank_ext(), "unknown": {}}})
    assert (reply.status, rerank_result(reply)) == (400, ("false", "refused"))
    assert "unknown" in reply.json()["error"]["reason"]


PRESENTATION_OPTIONS: list[dict[str, Any]] = [
    {"_source": False},
    {"_source": ["year"]},
    {"_source": "ye*"},
    {"_source": {"includes": ["title", "text"], "excludes": ["title"]}},
    {"fields": ["lang"]},
    {"fields": ["title", {"field": "year"}], "_source": False},
    {"fields": ["*"], "_source": False},
    {"stored_fields": ["lang"]},
    {"docvalue_fields": ["title.raw", "year"], "_source": False},
    {"script_fields": {"twice": {"script": "doc['year'].value * 2"}}},
    {"highlight": {"fields": {"text": {}}}},
    {"explain": True},
    {"version": True, "seq_no_primary_term": True},
    {"track_total_hits": False},
    {"track_total_hits": 2},
    {"aggs": {"langs": {"terms": {"field": "lang"}}}},
    {"suggest": {"s": {"text": "gren", "term": {"field": "text"}}}},
    {"post_filter": {"term": {"lang": "en"}}},
    {"min_score": 0.3},
    {"collapse": {"field": "lang"}},
    {"collapse": {"field": "lang", "inner_hits": {"name": "more", "size": 1}}},
    {"rescore": {"window_size": 5, "query": {"rescore_query": {"match": {"text": "leaves"}}}}},
    {"sort": ["_score"]},
    {"sort": [{"_score": "desc"}]},
    {"profile": False, "timeout": "5s", "terminate_after": 1000},
]


@pytest.mark.parametrize("options", PRESENTATION_OPTIONS, ids=lambda options: "-".join(options))
def test_presentation_options_are_respected(opensearch_proxy: ProxiedService, options: dict[str, Any]) -> None:
    """Except for order and scores, the response equals that of OpenSearch alone."""
    body = {"query": MATCH, **options}
    expected = direct(opensearch_proxy, body).json()
    reply = search(opensearch_proxy, {**body, "ext": rerank_ext()})
    response = reply.json()
    assert (reply.status, rerank_result(reply)) == (200, ("true", ""))
    assert response.pop("_rerank")["applied"] is True
    proxied_hits = {hit["_id"]: _unscored(hit) for hit in response["hits"]["hits"]}
    direct_hits = {hit["_id"]: _unscored(hit) for hit in expected["hits"]["hits"]}
    assert proxied_hits == direct_hits
    for content in (response, expected):
        del content["took"]
        content["hits"] = {key: value for key, value in content["hits"].items() if key not in ("hits", "max_score")}
    assert response == expected


def _unscored(hit: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in hit.items() if key not in ("_score", "_rerank", "sort")}


@pytest.mark.parametrize(
    ("body", "target", "reason"),
    [
        ({"sort": [{"year": "asc"}]}, "", "sort"),
        ({"sort": ["_score", "year"]}, "", "sort"),
        ({"sort": [{"_score": "asc"}]}, "", "sort"),
        ({}, "?sort=year:desc", "sort"),
        ({"sort": [{"year": "asc"}], "search_after": [2003]}, "", "search_after"),
        ({"size": 0, "aggs": {"langs": {"terms": {"field": "lang"}}}}, "", "size"),
        ({"from": 9_995}, "", "size"),
        ({"size": "many"}, "", "size"),
        ({"stored_fields": "_none_"}, "", "stored_fields"),
        ({}, "?format=yaml", "format"),
        ({"query": {"term": {"lang": "en"}}}, "", "no_query_text"),
        ({"query": {"match_all": {}}}, "", "no_query_text"),
        ({"query": {"match": {"text": "\ud800"}}}, "", "no_query_text"),
        ({"query": {"no_such_clause": {}}}, "", "no_query_text"),
    ],
)
def test_ineligible_search_returns_the_response_of_opensearch(
    opensearch_proxy: ProxiedService, body: dict[str, Any], target: str, reason: str
) -> None:
    """Status and body are those of OpenSearch alone. The header has the reason."""
    plain = {"query": MATCH, **body}
    expected = direct(opensearch_proxy, plain, f"/{INDEX}/_search{target}")
    reply = search(opensearch_proxy, {**plain, "ext": rerank_ext()}, f"/{INDEX}/_search{target}")
    assert rerank_result(reply) in {("false", reason), ("false", "refused")}
    assert reply.status == expected.status
    assert _timeless(reply.body) == _timeless(expected.body)


def _timeless(body: bytes) -> object:
    try:
        response = json.loads(body)
    except ValueError:
        return body.split(b"\n", 2)[2]
    response.pop("took", None)
    return response


def test_first_page_of_a_scroll_is_reranked(opensearch_proxy: ProxiedService) -> None:
    """The next pages are in the order of the server."""
    first = search(opensearch_proxy, {"query": MATCH, "size": 2, "ext": rerank_ext()}, f"/{INDEX}/_search?scroll=1m")
    assert (rerank_result(first), len(ids(first))) == (("true", ""), 2)
    second = opensearch_proxy.send("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": first.json()["_scroll_id"]})
    assert (second.status, len(ids(second))) == (200, 2)
    cleared = opensearch_proxy.send("DELETE", "/_search/scroll", {"scroll_id": [first.json()["_scroll_id"]]})
    assert cleared.json()["succeeded"] is True


def test_point_in_time_is_reranked(opensearch_proxy: ProxiedService) -> None:
    """A search with a point in time has no index in its path. The response keeps the pit_id."""
    created = opensearch_proxy.send("POST", f"/{INDEX}/_search/point_in_time?keep_alive=1m").json()
    pit = {"id": created["pit_id"], "keep_alive": "1m"}
    reply = search(opensearch_proxy, {"pit": pit, "query": MATCH, "ext": rerank_ext()}, "/_search")
    assert (rerank_result(reply), set(ids(reply)[:2])) == (("true", ""), {"2", "4"})
    assert "pit_id" in reply.json()
    opensearch_proxy.send("DELETE", "/_search/point_in_time", {"pit_id": [created["pit_id"]]})


def test_default_fields_are_all_text_fields(opensearch_proxy: ProxiedService) -> None:
    """The default includes lists and dotted fields. A nested field can be named in `fields`."""
    body = {"query": {"match_all": {}}, "ext": {"rerank": {"query_context": {"query_text": "titles and leaves"}}}}
    assert ids(search(opensearch_proxy, body))[0] == "4"
    deep = {"query": {"match_all": {}}, "ext": {"rerank": {"query_context": {"query_text": "deep green leaves"}}}}
    assert ids(search(opensearch_proxy, deep))[0] == "7"
    nested = {**body, "_source": False, "ext": rerank_ext(fields=["parts.body"], query_context={"query_text": QUERY})}
    reply = search(opensearch_proxy, nested)
    assert (ids(reply)[0], "fields" in reply.json()["hits"]["hits"][0]) == ("6", False)


def test_missing_field_returns_first_stage_order_with_reason(opensearch_proxy: ProxiedService) -> None:
    """The model is not called."""
    expected = ids(direct(opensearch_proxy, {"query": MATCH}))
    reply = search(opensearch_proxy, {"query": MATCH, "ext": rerank_ext(fields=["nowhere"])})
    assert (rerank_result(reply), ids(reply)) == (("false", "no_text"), expected)
    assert reply.json()["_rerank"]["reason"] == "no_text"


def test_search_without_hits_counts_as_reranked(opensearch_proxy: ProxiedService) -> None:
    """Nothing is scored."""
    reply = search(opensearch_proxy, {"query": {"match": {"text": "unheard"}}, "ext": rerank_ext()})
    response = reply.json()
    assert (rerank_result(reply), ids(reply), response["hits"]["max_score"]) == (("true", ""), [], None)
    assert (response["_rerank"]["candidates"], response["_rerank"]["scored"]) == (0, 0)


def test_hits_below_min_score_are_dropped(opensearch_proxy: ProxiedService) -> None:
    """The report counts them. The threshold is in units of the final score."""
    reply = search(opensearch_proxy, {"query": MATCH, "ext": rerank_ext(min_score=0.9)})
    scores = [hit["_score"] for hit in reply.json()["hits"]["hits"]]
    assert scores
    assert min(scores) >= 0.9
    assert reply.json()["_rerank"]["dropped"] == 7 - len(scores)


def test_explain_adds_the_logit_of_each_hit(opensearch_proxy: ProxiedService) -> None:
    """The logit is in `_rerank.explain`."""
    reply = search(opensearch_proxy, {"query": MATCH, "size": 1, "ext": rerank_ext(explain=True)})
    explained = reply.json()["hits"]["hits"][0]["_rerank"]["explain"]
    assert explained["logit"] == 4.0


def test_hits_beyond_the_window_keep_first_stage_order(opensearch_proxy: ProxiedService) -> None:
    """Only the window is scored. Scores still decrease."""
    reply = search(opensearch_proxy, {"query": MATCH, "ext": rerank_ext(window=2)})
    expected = ids(direct(opensearch_proxy, {"query": MATCH}))
    assert (set(ids(reply)[:2]), ids(reply)[2:]) == (set(expected[:2]), expected[2:])
    scores = [hit["_score"] for hit in reply.json()["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert reply.json()["_rerank"]["candidates"] == 2


def test_refused_window_falls_back_to_the_plain_search(opensearch_proxy: ProxiedService) -> None:
    """An index may allow fewer than 10,000 hits."""
    limit = {"index": {"max_result_window": 5}}
    opensearch_proxy.send("PUT", f"/{INDEX}/_settings", limit)
    try:
        reply = search(opensearch_proxy, {"query": MATCH, "size": 5, "ext": rerank_ext(window=50)})
        assert (reply.status, rerank_result(reply), len(ids(reply))) == (200, ("false", "window_refused"), 5)
    finally:
        opensearch_proxy.send("PUT", f"/{INDEX}/_settings", {"index": {"max_result_window": None}})


def test_neural_clause_is_converted_to_knn(opensearch_proxy: ProxiedService) -> None:
    """The proxy encodes its text, also inside other clauses."""
    clause = {"neural": {"vector": {"query_text": QUERY, "k": 3, "filter": {"term": {"lang": "en"}}}}}
    for query in (clause, {"bool": {"must": [clause], "filter": [{"range": {"year": {"lt": 2005}}}]}}):
        reply = search(opensearch_proxy, {"query": query})
        assert (reply.status, rerank_result(reply), set(ids(reply)[:2])) == (200, ("true", ""), {"2", "4"})
        assert {DOCUMENTS[doc_id]["lang"] for doc_id in ids(reply)} == {"en"}
    knn = {"knn": {"vector": {"query_text": QUERY, "k": 4}}}
    assert rerank_result(search(opensearch_proxy, {"query": knn})) == ("true", "")


def test_gzip_body_is_accepted(opensearch_proxy: ProxiedService) -> None:
    """opensearch-py sends a gzip body if http_compress is set."""
    body = gzip.compress(json.dumps({"query": MATCH, "ext": rerank_ext()}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    reply = opensearch_proxy.send("POST", f"/{INDEX}/_search", body, headers)
    assert (reply.status, rerank_result(reply), reply.headers["content-encoding"]) == (200, ("true", ""), "gzip")
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert json.loads(gzip.decompress(reply.body))["_rerank"]["applied"] is True


def test_body_of_several_gzip_members_is_not_parsed() -> None:
    """The proxy and the server could decompress different searches from it."""
    member = gzip.compress(b'{"query":')
    assert decompress_body(member, "gzip", 100) == b'{"query":'
    assert decompress_body(member + gzip.compress(b'{"match_all":{}}}'), "gzip", 100) is None


@pytest.mark.parametrize(
    ("accepted", "small", "encoding"),
    [
        ("gzip", True, None),
        ("deflate, gzip;q=1.0, *;q=0.5", False, "gzip"),
        ("*", False, "gzip"),
        ("gzip;q=0", False, None),
        ("br", False, None),
        ("", False, None),
    ],
)
def test_response_is_compressed_if_the_client_accepts_gzip(
    opensearch_proxy: ProxiedService, accepted: str, small: bool, encoding: str | None
) -> None:
    """As in OpenSearch, small responses stay uncompressed."""
    headers = {"Content-Type": "application/json", "Accept-Encoding": accepted}
    request = {"query": MATCH, "ext": rerank_ext(), **({"_source": False, "size": 1} if small else {})}
    reply = opensearch_proxy.send("POST", f"/{INDEX}/_search", json.dumps(request).encode(), headers)
    assert reply.headers.get("content-encoding") == encoding
    body = gzip.decompress(reply.body) if encoding else reply.body
    assert json.loads(body)["_rerank"]["applied"] is True


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"rerank", b'{"query": {"match": {"text": "a"}}, "ext": {"rerank"']
)
def test_invalid_json_is_forwarded(opensearch_proxy: ProxiedService, body: bytes) -> None:
    """OpenSearch reports the error."""
    headers = {"Content-Type": "application/json"}
    expected = send(opensearch_proxy.server, "POST", f"/{INDEX}/_search", body, headers)
    reply = opensearch_proxy.send("POST", f"/{INDEX}/_search", body, headers)
    assert (reply.status, _timeless(reply.body)) == (expected.status, _timeless(expected.body))


def test_special_strings_are_plain_text(opensearch_proxy: ProxiedService) -> None:
    """Braces, percent signs and code have no effect anywhere in the options."""
    text = "{0.__class__} %s %(x)s ${jndi:ldap://x} __import__('os').system('x') tea"
    ext = rerank_ext(query_context={"query_text": text}, model=None, fields=["text", "{0.__class__}"])
    reply = search(opensearch_proxy, {"query": MATCH, "ext": ext})
    assert (reply.status, rerank_result(reply)) == (200, ("true", ""))
    named = search(opensearch_proxy, {"query": MATCH, "ext": {"rerank": {"{0.__class__}%s": 1}}})
    assert (named.status, named.json()["field"]) == (400, "ext.rerank.{0.__class__}%s")


def test_pretty_response_has_the_layout_of_opensearch(opensearch_proxy: ProxiedService) -> None:
    """The parameter `pretty` applies to reranked responses."""
    reply = search(opensearch_proxy, {"query": MATCH, "ext": rerank_ext()}, f"/{INDEX}/_search?pretty")
    assert reply.body.startswith(b'{\n  "took" : ')
    assert reply.json()["_rerank"]["applied"] is True


@pytest.mark.parametrize(
    "path",
    [
        "took",
        "hits.hits._id",
        "hits.hits._source.t*,hits.total",
        "**._id",
        "hits.**.title",
        "-hits.hits._source",
        "hits,-hits.hits._source.vector",
        "-**._id",
        "*",
        "**",
        "nothing",
        "hits.hits._source.parts.body",
        "-hits.hits._source.parts.body",
        "hits.*.*",
        "aggregations.l.buckets.key,-aggregations.l.buckets.doc_count",
    ],
)
def test_filter_path_selects_the_parts_that_opensearch_selects(opensearch_proxy: ProxiedService, path: str) -> None:
    """The proxy applies filter_path itself, because it needs the complete response."""
    body = {"query": MATCH, "size": 4, "aggs": {"l": {"terms": {"field": "lang"}}}}
    complete = direct(opensearch_proxy, body).json()
    expected = direct(opensearch_proxy, body, f"/{INDEX}/_search?filter_path={path}").json()
    filtered = FilterPath.parse(path).apply(complete)
    assert {**filtered, "took": 0} == {**expected, "took": 0}
    reply = search(opensearch_proxy, {**body, "ext": rerank_ext()}, f"/{INDEX}/_search?filter_path={path}")
    assert rerank_result(reply) == ("true", "")
    assert reply.json().keys() - {"_rerank"} == expected.keys()


def test_plain_search_is_unchanged(opensearch_proxy: ProxiedService) -> None:
    """The response has neither headers nor keys of the proxy."""
    reply = search(opensearch_proxy, {"query": MATCH})
    assert rerank_result(reply) == ("absent", "absent")
    assert _timeless(reply.body) == _timeless(direct(opensearch_proxy, {"query": MATCH}).body)
