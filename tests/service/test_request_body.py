from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank.core.settings import Settings
from rerank.service.json_limits import MAX_NESTING
from tests.service.fake_service import INDEX, client, components, error

JSON = "application/json"


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        (b"", "the request body is not valid JSON: Expecting value at line 1, column 1", None),
        (
            b"{",
            "the request body is not valid JSON: Expecting property name enclosed in double quotes at line 1, column 2",
            None,
        ),
        (b"[]", "the request body must be a JSON object, got a list", None),
        (b"null", "the request body must be a JSON object, got null", None),
        (b'"x"', 'the request body must be a JSON object, got "x"', None),
        (b'{"k": NaN}', "the request body is not valid JSON: NaN is not a JSON number", None),
        (b'{"k": -Infinity}', "the request body is not valid JSON: -Infinity is not a JSON number", None),
        (b'{"min_score": 1e999}', "the request body contains a number out of range: 1e999", None),
        (b'{"k": ' + b"9" * 5000 + b"}", "the request body contains an integer with too many digits", None),
        (b'{"query": "caf\xe9"}', "the request body must be UTF-8, got an invalid byte at position 14", None),
        (b'{"k": 1, "k": 2}', 'duplicate key "k" in one object', "k"),
        (
            b'{"filter": ' + b'{"bool":{"must":[' * 40 + b"]}}" * 40 + b"}",
            "the request body must not be nested more than 100 levels deep",
            None,
        ),
        (b"[" * 100_000, "the request body must not be nested more than 100 levels deep", None),
        (b'{"a":' * 100_000, "the request body must not be nested more than 100 levels deep", None),
        (b'{"\\ud800": 1}', "the request body is not valid Unicode: a lone surrogate", None),
    ],
)
def test_body_that_is_not_a_json_object_returns_400(body: bytes, message: str, field: str | None) -> None:
    """The message names the error and its position."""
    response = client().post("/search", data=body, content_type=JSON)
    assert (response.status_code, response.get_json()) == (400, error(message, field=field))


def test_nesting_up_to_the_limit_is_accepted() -> None:
    """One level more is an error. The error for an accepted body is about a missing key."""
    levels = MAX_NESTING - 2
    body = b'{"filter": {"term": ' + b"[" * levels + b"]" * levels + b"}}"
    too_deep = client().post("/search", data=body.replace(b"[]", b"[[]]"), content_type=JSON).get_json()
    assert too_deep["message"] == "the request body must not be nested more than 100 levels deep"
    accepted = client().post("/search", data=body, content_type=JSON).get_json()
    assert accepted["message"] == '"index" is required'


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/x-ndjson"]
)
def test_other_content_type_returns_415(content_type: str | None) -> None:
    """The message names the header to set."""
    response = client().post("/search", data=b"{}", content_type=content_type)
    message = "the request body must be JSON. Set the header Content-Type: application/json"
    assert (response.status_code, response.get_json()) == (415, error(message, "UnsupportedMediaType"))


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "application/vnd.x+json"])
def test_variants_of_the_json_content_type_are_accepted(content_type: str) -> None:
    """A charset, a vendor prefix and a byte order mark are valid."""
    body = b'\xef\xbb\xbf{"index": "docs", "query": "green tea"}'
    assert client().post("/search", data=body, content_type=content_type).status_code == 200


GZIP = {"Content-Encoding": "gzip"}


def test_gzip_body_is_accepted() -> None:
    """Elasticsearch's and OpenSearch's clients send gzip if compression is enabled."""
    body = gzip.compress(json.dumps({"index": INDEX, "query": "tea"}).encode())
    assert client().post("/search", data=body, content_type=JSON, headers=GZIP).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"x", b"", gzip.compress(b"{}")[:-1], gzip.compress(b"{") + gzip.compress(b"}")],
    ids=["not_gzip", "empty", "truncated", "two_members"],
)
def test_invalid_gzip_returns_400(body: bytes) -> None:
    """Several members are invalid too, because servers differ in how many they read."""
    response = client().post("/search", data=body, content_type=JSON, headers=GZIP)
    assert response.status_code == 400
    assert response.get_json()["message"].startswith("the request body must be one complete gzip member: ")


def test_other_compression_returns_415() -> None:
    """The message lists the supported encodings."""
    response = client().post("/search", data=b"x", content_type=JSON, headers={"Content-Encoding": "br"})
    message = 'Content-Encoding must be gzip or identity, got "br"'
    assert (response.status_code, response.get_json()) == (415, error(message, "UnsupportedMediaType"))


def test_body_above_the_limit_after_decompression_returns_413() -> None:
    """The size limit applies to the decompressed body."""
    service = client(components(settings=Settings(max_search_body_mb=1)))
    body = json.dumps({"index": INDEX, "query": "tea"}).encode()
    for size, status in ((1 << 20, 200), ((1 << 20) + 1, 413), (1 << 26, 413)):
        sent = gzip.compress(body.ljust(size))
        assert service.post("/search", data=sent, content_type=JSON, headers=GZIP).status_code == status


def test_body_above_the_limit_returns_413() -> None:
    """The message names the setting; a body at the limit is accepted."""
    service = client(components(settings=Settings(max_search_body_mb=1)))
    body = json.dumps({"index": INDEX, "query": "tea"}).encode()
    at_limit = service.post("/search", data=body.ljust(1 << 20), content_type=JSON)
    assert at_limit.status_code == 200
    above = service.post("/search", data=body.ljust((1 << 20) + 1), content_type=JSON)
    message = "the request body must not exceed 1 MB. Send a smaller body, or raise max_search_body_mb"
    assert (above.status_code, above.get_json()) == (413, error(message, "PayloadTooLarge"))


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 12_000)
    | st.floats()
    | st.text(alphabet=st.characters(codec=None), max_size=8)  # includes lone surrogates
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
def test_no_json_causes_a_server_error(body: Any, route: tuple[str, str]) -> None:
    """Every JSON value gets a result or an error in the shared body."""
    method, path = route
    response = client().open(path, method=method, data=json.dumps(body), content_type=JSON)
    assert response.status_code in (200, 400, 404), response.get_data(as_text=True)
    if response.status_code != 200:
        body = response.get_json()
        assert body == error(body["message"], body["error_type"], field=body.get("field"))
        assert body["message"]


@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_random_bytes_return_400(body: bytes) -> None:
    """Bytes that are not a JSON object never cause a server error."""
    assert client().post("/search", data=body, content_type=JSON).status_code == 400
