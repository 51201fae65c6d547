"""Searches that ask for re-ranking, on the real server."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from rerank.service.proxy.search.call import plain_bytes
from rerank.service.proxy.search.filter_path import FilterPath
from tests.service.proxy.library import DOCUMENTS, INDEX, MATCH, QUERY, fill, ids, reranked, search, told
from tests.service.proxy.standing import Reply, Standing, ask


@pytest.fixture(scope="module", autouse=True)
def _library(opensearch_url: str) -> None:
    fill(opensearch_url)


def own(service: Standing, body: object, target: str = f"/{INDEX}/_search") -> Reply:
    """The same search, of the server itself."""
    return ask(service.server, "POST", target, body)


def test_the_hits_come_re_ranked(before_opensearch: Standing) -> None:
    """The answer is OpenSearch's own, its hits in the fused order, with both scores, and headers that say so."""
    body = {"query": MATCH, "size": 3}
    plain = own(before_opensearch, {**body, "size": 10}).json()
    reply = search(before_opensearch, {**body, "ext": reranked()})
    answer = reply.json()
    assert (reply.status, told(reply), reply.headers["x-rerank-model"]) == (200, ("true", ""), "fake-reranker")
    assert float(reply.headers["x-rerank-took"]) > 0
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert set(ids(reply)[:2]) == {"2", "4"}
    before = {hit["_id"]: (rank, hit) for rank, hit in enumerate(plain["hits"]["hits"], start=1)}
    for hit in answer["hits"]["hits"]:
        rank, unranked = before[hit["_id"]]
        place = hit.pop("_rerank")
        assert place == {
            "retrieval_rank": rank,
            "retrieval_score": pytest.approx(unranked["_score"], abs=1e-7),
            "score": hit["_score"],
        }
        assert {**hit, "_score": unranked["_score"]} == unranked
    scores = [hit["_score"] for hit in answer["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert answer["hits"]["max_score"] == scores[0]
    assert answer["hits"]["total"] == plain["hits"]["total"]
    report = answer["_rerank"]
    assert (report["applied"], report["reason"], report["candidates"], report["scored"]) == (True, None, 7, 7)


def test_scores_are_written_for_strict_readers(before_opensearch: Standing) -> None:
    """Floating-point literals of at most 18 characters: json-smart reads longer ones as another type."""
    text = search(before_opensearch, {"query": MATCH, "ext": reranked()}).body.decode()
    literals = [part.split(",")[0].rstrip("}") for part in text.split('score":')[1:]]
    assert len(literals) > 10
    assert [each for each in literals if len(each) > 18 or not ("." in each or "e" in each)] == []


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
def test_the_words_are_found_in_the_search(before_opensearch: Standing, query: dict[str, Any]) -> None:
    """Whoever asks for re-ranking need not repeat the text that the search shows."""
    reply = search(before_opensearch, {"query": query, "ext": reranked()})
    assert (reply.status, told(reply)) == (200, ("true", ""))
    assert set(ids(reply)[:2]) == {"2", "4"}


def test_the_words_may_be_told_and_pointed_at(before_opensearch: Standing) -> None:
    """query_text, or query_text_path to a string of the body."""
    body = {"query": {"match": {"everything": "tea"}}}
    pointed = {**body, "ext": reranked(query_context={"query_text_path": "query.match.everything"})}
    assert told(search(before_opensearch, pointed)) == ("true", "")
    said = {"query": {"match_all": {}}, "ext": reranked(query_context={"query_text": "amaro caffè"})}
    assert ids(search(before_opensearch, said))[0] == "8"


def test_words_in_the_address_are_found(before_opensearch: Standing) -> None:
    """`q=` is a query string."""
    reply = search(before_opensearch, {"ext": reranked()}, f"/{INDEX}/_search?q=everything:green+AND+tea")
    assert (told(reply), set(ids(reply)[:2])) == (("true", ""), {"2", "4"})


@pytest.mark.parametrize(
    ("ext", "field"),
    [
        (5, "ext.rerank"),
        (None, "ext.rerank"),
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
def test_what_is_asked_wrongly_is_named(before_opensearch: Standing, ext: object, field: str) -> None:
    """400, with the key."""
    reply = search(before_opensearch, {"query": MATCH, "ext": {"rerank": ext}})
    assert (reply.status, reply.json()["field"], reply.json()["error_type"]) == (400, field, "Validation")


def test_an_unknown_model_is_404_and_a_known_one_is_taken(before_opensearch: Standing) -> None:
    """The models are those of the settings."""
    assert search(before_opensearch, {"query": MATCH, "ext": reranked(model="nope")}).status == 404
    reply = search(before_opensearch, {"query": MATCH, "ext": reranked(model="other")})
    assert reply.headers["x-rerank-model"] == "other"


def test_what_else_is_under_ext_stays(before_opensearch: Standing) -> None:
    """Only ext.rerank is ours: OpenSearch refuses the other name, as it would alone."""
    reply = search(before_opensearch, {"query": MATCH, "ext": {**reranked(), "unknown": {}}})
    assert (reply.status, told(reply)) == (400, ("false", "refused"))
    assert "unknown" in reply.json()["error"]["reason"]


SHOWN: list[dict[str, Any]] = [
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


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: "-".join(shown))
def test_hits_look_as_the_client_wants_them(before_opensearch: Standing, shown: dict[str, Any]) -> None:
    """But for the order and the scores, the answer is the one that OpenSearch alone would have given."""
    body = {"query": MATCH, **shown}
    expected = own(before_opensearch, body).json()
    reply = search(before_opensearch, {**body, "ext": reranked()})
    answer = reply.json()
    assert (reply.status, told(reply)) == (200, ("true", ""))
    assert answer.pop("_rerank")["applied"] is True
    ours = {hit["_id"]: _unscored(hit) for hit in answer["hits"]["hits"]}
    theirs = {hit["_id"]: _unscored(hit) for hit in expected["hits"]["hits"]}
    assert ours == theirs
    for each in (answer, expected):
        del each["took"]
        each["hits"] = {key: value for key, value in each["hits"].items() if key not in ("hits", "max_score")}
    assert answer == expected


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
def test_what_cannot_be_re_ranked_is_opensearchs_own_answer(
    before_opensearch: Standing, body: dict[str, Any], target: str, reason: str
) -> None:
    """The status and body are those of OpenSearch alone, and the header has the reason."""
    whole = {"query": MATCH, **body}
    expected = own(before_opensearch, whole, f"/{INDEX}/_search{target}")
    reply = search(before_opensearch, {**whole, "ext": reranked()}, f"/{INDEX}/_search{target}")
    assert told(reply) in {("false", reason), ("false", "refused")}
    assert reply.status == expected.status
    assert _timeless(reply.body) == _timeless(expected.body)


def _timeless(body: bytes) -> object:
    try:
        answer = json.loads(body)
    except ValueError:
        return body.split(b"\n", 2)[2]
    answer.pop("took", None)
    return answer


def test_a_scroll_goes_on_as_ever(before_opensearch: Standing) -> None:
    """Its pages are OpenSearch's own, the first one and those after it."""
    first = search(before_opensearch, {"query": MATCH, "size": 2, "ext": reranked()}, f"/{INDEX}/_search?scroll=1m")
    assert (told(first), len(ids(first))) == (("false", "scroll"), 2)
    second = before_opensearch.ask("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": first.json()["_scroll_id"]})
    assert (second.status, len(ids(second))) == (200, 2)
    gone = before_opensearch.ask("DELETE", "/_search/scroll", {"scroll_id": [first.json()["_scroll_id"]]})
    assert gone.json()["succeeded"] is True


def test_a_point_in_time_is_re_ranked(before_opensearch: Standing) -> None:
    """A search of a point in time has no index in its path; its answer keeps the pit_id."""
    made = before_opensearch.ask("POST", f"/{INDEX}/_search/point_in_time?keep_alive=1m").json()
    pit = {"id": made["pit_id"], "keep_alive": "1m"}
    reply = search(before_opensearch, {"pit": pit, "query": MATCH, "ext": reranked()}, "/_search")
    assert (told(reply), set(ids(reply)[:2])) == (("true", ""), {"2", "4"})
    assert "pit_id" in reply.json()
    before_opensearch.ask("DELETE", "/_search/point_in_time", {"pit_id": [made["pit_id"]]})


def test_texts_come_from_all_text_fields_by_default(before_opensearch: Standing) -> None:
    """Several values, dotted fields, and one reading of what is copied; nested ones where there is nothing else."""
    body = {"query": {"match_all": {}}, "ext": {"rerank": {"query_context": {"query_text": "titles and leaves"}}}}
    assert ids(search(before_opensearch, body))[0] == "4"
    deep = {"query": {"match_all": {}}, "ext": {"rerank": {"query_context": {"query_text": "deep green leaves"}}}}
    assert ids(search(before_opensearch, deep))[0] == "7"
    nested = {**body, "_source": False, "ext": reranked(fields=["parts.body"], query_context={"query_text": QUERY})}
    reply = search(before_opensearch, nested)
    assert (ids(reply)[0], "fields" in reply.json()["hits"]["hits"][0]) == ("6", False)


def test_a_field_that_no_hit_has_is_told(before_opensearch: Standing) -> None:
    """OpenSearch's order, without asking the model."""
    expected = ids(own(before_opensearch, {"query": MATCH}))
    reply = search(before_opensearch, {"query": MATCH, "ext": reranked(fields=["nowhere"])})
    assert (told(reply), ids(reply)) == (("false", "no_text"), expected)
    assert reply.json()["_rerank"]["reason"] == "no_text"


def test_no_hits_need_no_model(before_opensearch: Standing) -> None:
    """An empty answer is whole, and nothing was scored."""
    reply = search(before_opensearch, {"query": {"match": {"text": "unheard"}}, "ext": reranked()})
    answer = reply.json()
    assert (told(reply), ids(reply), answer["hits"]["max_score"]) == (("true", ""), [], None)
    assert (answer["_rerank"]["candidates"], answer["_rerank"]["scored"]) == (0, 0)


def test_hits_below_min_score_are_dropped_and_counted(before_opensearch: Standing) -> None:
    """In the units of score."""
    reply = search(before_opensearch, {"query": MATCH, "ext": reranked(min_score=0.9)})
    scores = [hit["_score"] for hit in reply.json()["hits"]["hits"]]
    assert scores
    assert min(scores) >= 0.9
    assert reply.json()["_rerank"]["dropped"] == 7 - len(scores)


def test_each_hit_says_why_when_asked(before_opensearch: Standing) -> None:
    """explain adds the model's part."""
    reply = search(before_opensearch, {"query": MATCH, "size": 1, "ext": reranked(explain=True)})
    explained = reply.json()["hits"]["hits"][0]["_rerank"]["explain"]
    assert explained["logit"] == 4.0


def test_hits_beyond_the_window_follow_in_opensearchs_order(before_opensearch: Standing) -> None:
    """Only the window is read; scores fall all the same."""
    reply = search(before_opensearch, {"query": MATCH, "ext": reranked(window=2)})
    expected = ids(own(before_opensearch, {"query": MATCH}))
    assert (set(ids(reply)[:2]), ids(reply)[2:]) == (set(expected[:2]), expected[2:])
    scores = [hit["_score"] for hit in reply.json()["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert reply.json()["_rerank"]["candidates"] == 2


def test_a_window_that_the_index_refuses_is_no_error(before_opensearch: Standing) -> None:
    """An index may allow less than 10,000; then the client's own search is answered."""
    limit = {"index": {"max_result_window": 5}}
    before_opensearch.ask("PUT", f"/{INDEX}/_settings", limit)
    try:
        reply = search(before_opensearch, {"query": MATCH, "size": 5, "ext": reranked(window=50)})
        assert (reply.status, told(reply), len(ids(reply))) == (200, ("false", "window_refused"), 5)
    finally:
        before_opensearch.ask("PUT", f"/{INDEX}/_settings", {"index": {"max_result_window": None}})


def test_a_neural_clause_is_searched_by_vector(before_opensearch: Standing) -> None:
    """Its text is embedded here, deep in other clauses too; the server has no such clause of its own."""
    clause = {"neural": {"vector": {"query_text": QUERY, "k": 3, "filter": {"term": {"lang": "en"}}}}}
    for query in (clause, {"bool": {"must": [clause], "filter": [{"range": {"year": {"lt": 2005}}}]}}):
        reply = search(before_opensearch, {"query": query})
        assert (reply.status, told(reply), set(ids(reply)[:2])) == (200, ("true", ""), {"2", "4"})
        assert {DOCUMENTS[doc_id]["lang"] for doc_id in ids(reply)} == {"en"}
    knn = {"knn": {"vector": {"query_text": QUERY, "k": 4}}}
    assert told(search(before_opensearch, {"query": knn})) == ("true", "")


def test_compressed_bodies_are_read(before_opensearch: Standing) -> None:
    """gzip, as opensearch-py sends it with http_compress."""
    body = gzip.compress(json.dumps({"query": MATCH, "ext": reranked()}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    reply = before_opensearch.ask("POST", f"/{INDEX}/_search", body, headers)
    assert (reply.status, told(reply), reply.headers["content-encoding"]) == (200, ("true", ""), "gzip")
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert json.loads(gzip.decompress(reply.body))["_rerank"]["applied"] is True


def test_a_body_of_several_gzip_members_is_opensearchs_to_read() -> None:
    """One that reads the first member alone and one that reads them all would see two searches."""
    member = gzip.compress(b'{"query":')
    assert plain_bytes(member, "gzip", 100) == b'{"query":'
    assert plain_bytes(member + gzip.compress(b'{"match_all":{}}}'), "gzip", 100) is None


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
def test_an_answer_is_compressed_for_those_who_take_it(
    before_opensearch: Standing, accepted: str, small: bool, encoding: str | None
) -> None:
    """As OpenSearch does, but for small ones; the same hits either way."""
    headers = {"Content-Type": "application/json", "Accept-Encoding": accepted}
    asked = {"query": MATCH, "ext": reranked(), **({"_source": False, "size": 1} if small else {})}
    reply = before_opensearch.ask("POST", f"/{INDEX}/_search", json.dumps(asked).encode(), headers)
    assert reply.headers.get("content-encoding") == encoding
    body = gzip.decompress(reply.body) if encoding else reply.body
    assert json.loads(body)["_rerank"]["applied"] is True


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"rerank", b'{"query": {"match": {"text": "a"}}, "ext": {"rerank"']
)
def test_what_is_no_json_is_for_opensearch_to_refuse(before_opensearch: Standing, body: bytes) -> None:
    """It is passed on as it came."""
    headers = {"Content-Type": "application/json"}
    expected = ask(before_opensearch.server, "POST", f"/{INDEX}/_search", body, headers)
    reply = before_opensearch.ask("POST", f"/{INDEX}/_search", body, headers)
    assert (reply.status, _timeless(reply.body)) == (expected.status, _timeless(expected.body))


def test_strings_of_a_client_are_only_strings(before_opensearch: Standing) -> None:
    """Braces, percent signs and code are words like any other, wherever they stand."""
    text = "{0.__class__} %s %(x)s ${jndi:ldap://x} __import__('os').system('x') tea"
    asked = reranked(query_context={"query_text": text}, model=None, fields=["text", "{0.__class__}"])
    reply = search(before_opensearch, {"query": MATCH, "ext": asked})
    assert (reply.status, told(reply)) == (200, ("true", ""))
    named = search(before_opensearch, {"query": MATCH, "ext": {"rerank": {"{0.__class__}%s": 1}}})
    assert (named.status, named.json()["field"]) == (400, "ext.rerank.{0.__class__}%s")


def test_a_pretty_answer_is_pretty(before_opensearch: Standing) -> None:
    """Laid out as OpenSearch does it."""
    reply = search(before_opensearch, {"query": MATCH, "ext": reranked()}, f"/{INDEX}/_search?pretty")
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
def test_parts_of_an_answer_are_taken_as_opensearch_takes_them(before_opensearch: Standing, path: str) -> None:
    """filter_path is applied here: the same parts as the server's own, and a re-ranked page has no others."""
    body = {"query": MATCH, "size": 4, "aggs": {"l": {"terms": {"field": "lang"}}}}
    whole = own(before_opensearch, body).json()
    expected = own(before_opensearch, body, f"/{INDEX}/_search?filter_path={path}").json()
    filtered = FilterPath.parse(path).of(whole)
    assert {**filtered, "took": 0} == {**expected, "took": 0}
    reply = search(before_opensearch, {**body, "ext": reranked()}, f"/{INDEX}/_search?filter_path={path}")
    assert told(reply) == ("true", "")
    assert reply.json().keys() - {"_rerank"} == expected.keys()


def test_plain_searches_are_not_touched(before_opensearch: Standing) -> None:
    """No header, no key of ours."""
    reply = search(before_opensearch, {"query": MATCH})
    assert told(reply) == ("absent", "absent")
    assert _timeless(reply.body) == _timeless(own(before_opensearch, {"query": MATCH}).body)
