from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank.core.settings import Settings
from rerank.service.request_body import MAX_NESTING
from tests.service.fake_service import INDEX, client, components, error

JSON = "application/json"


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        (b"", "the body is not JSON: Expecting value at line 1, column 1", None),
        (b"{", "the body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2", None),
        (b"[]", "the body is a JSON object, not a list", None),
        (b"null", "the body is a JSON object, not null", None),
        (b'"x"', 'the body is a JSON object, not "x"', None),
        (b'{"k": NaN}', "the body is not JSON: NaN is no JSON number", None),
        (b'{"k": -Infinity}', "the body is not JSON: -Infinity is no JSON number", None),
        (b'{"min_score": 1e999}', "the body holds a number that no double can: 1e999", None),
        (b'{"k": ' + b"9" * 5000 + b"}", "the body holds a number of thousands of digits", None),
        (b'{"query": "caf\xe9"}', "the body is not UTF-8: byte 14 cannot be read", None),
        (b'{"k": 1, "k": 2}', 'the key "k" is there twice in one object', "k"),
        (
            b'{"filter": ' + b'{"bool":{"must":[' * 40 + b"]}}" * 40 + b"}",
            "the body is nested more than 100 levels deep",
            None,
        ),
        (b"[" * 100_000, "the body is nested more than 100 levels deep", None),
        (b'{"a":' * 100_000, "the body is nested more than 100 levels deep", None),
        (b'{"\\ud800": 1}', "a lone surrogate in the body: it is not valid Unicode", None),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, message: str, field: str | None) -> None:
    """400 for everything that is no JSON object in UTF-8, with what is wrong and where."""
    answer = client().post("/search", data=body, content_type=JSON)
    assert (answer.status_code, answer.get_json()) == (400, error(message, field=field))


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit is far beyond what a filter needs, and exact."""
    levels = MAX_NESTING - 2
    body = b'{"filter": {"term": ' + b"[" * levels + b"]" * levels + b"}}"
    too_deep = client().post("/search", data=body.replace(b"[]", b"[[]]"), content_type=JSON).get_json()
    assert too_deep["message"] == "the body is nested more than 100 levels deep"
    read = client().post("/search", data=body, content_type=JSON).get_json()
    assert read["message"] == '"index" is missing'


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/x-ndjson"]
)
def test_a_body_is_json_by_its_content_type(content_type: str | None) -> None:
    """415 for anything else, naming the header."""
    answer = client().post("/search", data=b"{}", content_type=content_type)
    message = "the body is JSON: send it with the header Content-Type: application/json"
    assert (answer.status_code, answer.get_json()) == (415, error(message, "UnsupportedMediaType"))


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "application/vnd.x+json"])
def test_every_name_of_json_is_understood(content_type: str) -> None:
    """A charset or a vendor's prefix makes it no other format; nor does a byte order mark."""
    body = b'\xef\xbb\xbf{"index": "docs", "query": "green tea"}'
    assert client().post("/search", data=body, content_type=content_type).status_code == 200


GZIP = {"Content-Encoding": "gzip"}


def test_a_body_by_gzip_is_read() -> None:
    """As Elasticsearch's and OpenSearch's clients send it when they are told to compress."""
    body = gzip.compress(json.dumps({"index": INDEX, "query": "tea"}).encode())
    assert client().post("/search", data=body, content_type=JSON, headers=GZIP).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"x", b"", gzip.compress(b"{}")[:-1], gzip.compress(b"{") + gzip.compress(b"}")],
    ids=["other", "empty", "cut", "two"],
)
def test_what_is_no_whole_gzip_is_refused(body: bytes) -> None:
    """Several members are not read either: not everyone reads the same in them."""
    answer = client().post("/search", data=body, content_type=JSON, headers=GZIP)
    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith("the body is said to be gzip and is none")


def test_another_compression_is_refused() -> None:
    """What would be read as garbage is refused by name."""
    answer = client().post("/search", data=b"x", content_type=JSON, headers={"Content-Encoding": "br"})
    message = "the body is compressed in a way that is not read here; send it as it is, or by gzip"
    assert (answer.status_code, answer.get_json()) == (415, error(message, "UnsupportedMediaType"))


def test_a_small_body_that_unpacks_above_the_limit_is_refused() -> None:
    """The limit holds for what is read; at the limit it is read."""
    asked = client(components(settings=Settings(max_body_mb=1)))
    body = json.dumps({"index": INDEX, "query": "tea"}).encode()
    for size, status in ((1 << 20, 200), ((1 << 20) + 1, 413), (1 << 26, 413)):
        sent = gzip.compress(body.ljust(size))
        assert asked.post("/search", data=sent, content_type=JSON, headers=GZIP).status_code == status


def test_a_body_above_the_limit_is_refused() -> None:
    """413 names the setting; a body at the limit is read."""
    asked = client(components(settings=Settings(max_body_mb=1)))
    body = json.dumps({"index": INDEX, "query": "tea"}).encode()
    at_limit = asked.post("/search", data=body.ljust(1 << 20), content_type=JSON)
    assert at_limit.status_code == 200
    above = asked.post("/search", data=body.ljust((1 << 20) + 1), content_type=JSON)
    message = "the body is larger than 1 MB; send less at once, or raise the setting max_body_mb"
    assert (above.status_code, above.get_json()) == (413, error(message, "PayloadTooLarge"))


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 12_000)
    | st.floats()
    | st.text(alphabet=st.characters(codec=None), max_size=8)  # every character, lone surrogates too
    | st.sampled_from([INDEX, "green tea", "tea", "vector", "default", "metadata.lang", "metadata.year", "en", "2020"])
)
_KEYS = st.sampled_from(
    [
        *("index", "query", "k", "depth", "mode", "filter", "min_score", "rerank", "model", "explain", "timeout_ms"),
        *("from", "documents", "doc_ids", "doc_id", "text", "title", "metadata", "top_n", "return_documents"),
        *("rank_fields", "term", "terms", "range", "exists", "prefix", "bool", "must", "should", "must_not", "gte"),
        *("metadata.lang", "metadata.year", "metadata.", "field", "value", "minimum_should_match"),
    ]
) | st.text(max_size=3)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=12
)
_CLAUSES = st.recursive(
    st.fixed_dictionaries({"term": st.dictionaries(_KEYS, _SCALARS, min_size=1, max_size=1)})
    | st.fixed_dictionaries(
        {
            "range": st.dictionaries(
                st.sampled_from(["metadata.year", "metadata.lang", "metadata.x"]),
                st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), _SCALARS, max_size=2),
                min_size=1,
                max_size=1,
            )
        }
    )
    | _VALUES,
    lambda inner: st.fixed_dictionaries(
        {"bool": st.dictionaries(st.sampled_from(["must", "should", "must_not", "filter"]), inner, max_size=2)}
    ),
    max_leaves=4,
)
_BODIES = (
    st.fixed_dictionaries(
        {"index": st.just(INDEX), "query": st.just("green tea")},
        optional={
            "k": _VALUES,
            "depth": _VALUES,
            "mode": _VALUES,
            "filter": _CLAUSES,
            "min_score": _VALUES,
            "rerank": _VALUES,
            "model": _VALUES,
            "explain": _VALUES,
            "timeout_ms": _VALUES,
            "from": _VALUES,
        },
    )
    | st.fixed_dictionaries(
        {"index": st.just(INDEX)},
        optional={
            "documents": st.lists(
                st.fixed_dictionaries(
                    {"doc_id": st.text() | _SCALARS, "text": _SCALARS},
                    optional={"title": _SCALARS, "metadata": st.dictionaries(st.text(max_size=4), _VALUES, max_size=3)},
                ),
                max_size=3,
            ),
            "doc_ids": st.lists(_SCALARS, max_size=3),
        },
    )
    | st.fixed_dictionaries(
        {"query": _SCALARS, "documents": st.lists(_VALUES, max_size=4)},
        optional={"top_n": _SCALARS, "rank_fields": _VALUES, "timeout_ms": _SCALARS, "model": _SCALARS},
    )
    | st.dictionaries(_KEYS, _VALUES, max_size=6)
    | _VALUES
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=_BODIES,
    route=st.sampled_from([("POST", "/search"), ("POST", "/documents"), ("DELETE", "/documents"), ("POST", "/rerank")]),
)
def test_no_body_breaks_the_service(body: Any, route: tuple[str, str]) -> None:
    """Whatever JSON says, the answer is an answer or a refusal with the one body: never a failure of ours."""
    method, path = route
    answer = client().open(path, method=method, data=json.dumps(body), content_type=JSON)
    assert answer.status_code in (200, 400, 404), answer.get_data(as_text=True)
    if answer.status_code != 200:
        problem = answer.get_json()
        assert problem == error(problem["message"], problem["error_type"], field=problem.get("field"))
        assert problem["message"]


@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_no_bytes_break_the_service(body: bytes) -> None:
    """Bytes that are no JSON object are a 400."""
    assert client().post("/search", data=body, content_type=JSON).status_code == 400
