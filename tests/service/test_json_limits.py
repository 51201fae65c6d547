from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank.core.settings import Settings
from rerank.core.token_spans import CALL_CHARS
from rerank.service.json_limits import MAX_NESTING, VALUES_PER_MEGABYTE, JsonLimits
from tests.service.fake_service import INDEX, client, error

MEGABYTE = 1 << 20
NO_LIMIT = 1 << 40

JSON = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('"\\[]{},aè\n'), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\[,', max_size=3), inner, max_size=4),
    max_leaves=30,
)


def values_in(value: Any) -> int:
    """Returns the number of scalars, lists and objects in *value*."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(values_in(member) for member in members)


def depth_of(value: Any) -> int:
    """Returns the number of levels of lists and objects in *value*."""
    if not isinstance(value, dict | list):
        return 0
    members = value.values() if isinstance(value, dict) else value
    return 1 + max((depth_of(member) for member in members), default=0)


@given(JSON)
@settings(max_examples=100)
def test_nesting_is_measured_outside_strings(value: Any) -> None:
    """Brackets in strings do not count, also after escaped characters."""
    data, depth = json.dumps(value, ensure_ascii=False).encode(), depth_of(value)
    assert JsonLimits(NO_LIMIT, nesting=depth).exceeded_by(data) is None
    if depth:
        rule = f"must not be nested more than {depth - 1} levels deep"
        assert JsonLimits(NO_LIMIT, nesting=depth - 1).exceeded_by(data) == rule


@given(JSON)
@settings(max_examples=100)
def test_values_within_the_limit_are_accepted(value: Any) -> None:
    """A list or an object counts as two values at most, and a scalar as one; text in strings does not count."""
    limits = JsonLimits(2 * values_in(value), nesting=MAX_NESTING)
    assert limits.exceeded_by(json.dumps(value, ensure_ascii=False).encode()) is None


@given(st.lists(st.sampled_from([0, [], {}, "", "a,[", '"']), min_size=20), st.integers(3, 8))
@settings(max_examples=50)
def test_values_beyond_the_limit_are_refused(values: list[Any], divisor: int) -> None:
    """The limit holds for every kind of value."""
    limits = JsonLimits(len(values) // divisor)
    rule = f"must have at most {limits.values} values"
    assert limits.exceeded_by(json.dumps({"a": values}).encode()) == rule


@pytest.mark.parametrize(
    "bomb",
    ["[],", "{},", "1,", '"",', '"a","b",', "[[],[]],", '{"a":[]},', "null,", '"\\"",', "1e9,"],
)
def test_many_small_values_are_refused_before_they_are_parsed(bomb: str) -> None:
    """The peak of allocated memory stays within 20 times the body."""
    body = ('{"index": "docs", "query": "tea", "filter": [' + bomb * (3 * MEGABYTE // len(bomb)) + "0]}").encode()
    service = client()
    peak, response = peak_of(service, "/search", body)
    assert (response.status_code, response.get_json()) == (
        400,
        error(f"the request body must have at most {4 * VALUES_PER_MEGABYTE:,} values"),
    )
    assert peak < 20 * len(body)


@pytest.mark.parametrize("text", ["a", ".", '\\"', "[],", "😀"])
def test_long_text_takes_a_fraction_of_the_limit(text: str) -> None:
    """The peak of allocated memory stays within 20 times the body and a call of the tokenizer."""
    content = text * (MEGABYTE // len(text.encode()))
    body = f'{{"query": "tea", "texts": ["{content}b"]}}'.encode()
    peak, response = peak_of(client(), "/rerank", body)
    assert response.status_code == 200
    assert peak < 20 * len(body) + 1_000 * CALL_CHARS


def test_invalid_values_take_bounded_memory() -> None:
    """One error for each value takes more than the values, and stays below 300 MB."""
    body = json.dumps({"query": "tea", "texts": [1] * (4 * VALUES_PER_MEGABYTE - 10)}).encode()
    peak, response = peak_of(client(), "/rerank", body)
    assert response.status_code == 422
    assert peak < 300 * MEGABYTE


def test_documents_may_be_larger_than_searches() -> None:
    """POST on documents has a limit of its own."""
    service = client()
    text = "a" * (5 * MEGABYTE)
    search = service.post("/search", json={"index": INDEX, "query": text})
    documents = service.post("/documents", json={"index": INDEX, "documents": [{"doc_id": "a", "text": text, "x": 1}]})
    limit = Settings().max_search_body_mb
    assert (search.status_code, search.get_json()["message"]) == (
        413,
        f"the request body must not exceed {limit} MB. Send a smaller body, or raise max_search_body_mb",
    )
    assert documents.status_code == 400


def peak_of(service: Any, path: str, body: bytes) -> tuple[int, Any]:
    """Returns the peak of memory that Python allocates for a request, in bytes, and the response."""
    service.post(path, data=b"{}", content_type="application/json")
    tracemalloc.start()
    try:
        response = service.post(path, data=body, content_type="application/json")
        return tracemalloc.get_traced_memory()[1], response
    finally:
        tracemalloc.stop()
