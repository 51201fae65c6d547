from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.errors import InvalidRequest, ModelUnavailable
from rerank.core.search import Reason
from rerank.service.proxy.address import Address
from rerank.service.proxy.search.asked import Asked
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.plan import Plan, stripped
from rerank.service.proxy.search.planning import PassedOn, Planner
from rerank.service.proxy.search.server import Server
from rerank.service.proxy.search.text_fields import TextFields
from rerank.service.proxy.upstream import Upstream

MAPPING = {"i": {"mappings": {"properties": {"text": {"type": "text"}}}}}


class ServerAtHand(Server):
    """Knows what it is without being asked."""

    def __init__(self, *, elasticsearch: bool = False) -> None:
        super().__init__(Upstream(Address("http", "nowhere.invalid", 1), timeout=1))
        self._is = elasticsearch

    def is_elasticsearch(self, call: SearchCall) -> bool:
        return self._is


def planner(**changes: Any) -> Planner:
    parts: dict[str, Any] = {
        "server": ServerAtHand(),
        "fields": TextFields(lambda call, target: MAPPING),
        "encode": lambda text: [0.5, 0.5],
        "indexes": (("docs", ("title",)), ("log-*", ()), ("docs-2", ("text", "title"))),
        "depth": 100,
    }
    return Planner(**(parts | changes))


def call(body: dict[str, Any], index: str = "i", **params: str) -> SearchCall:
    return SearchCall(index, tuple(params.items()), body, ())


_KEYS = st.sampled_from(
    [
        "query",
        "ext",
        "rerank",
        "retriever",
        "text_similarity_reranker",
        "rrf",
        "retrievers",
        "standard",
        "knn",
        "neural",
        "match",
        "bool",
        "must",
        "text",
        "field",
        "query_text",
        "inference_text",
        "window",
        "weight",
        "size",
        "from",
        "sort",
        "_score",
        "fields",
        "query_context",
        "query_vector_builder",
        "text_embedding",
        "filter",
        "stored_fields",
        "pit",
    ]
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 20000) | st.floats() | st.sampled_from(["tea", "", "_score", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=25,
)
_RERANKER = st.fixed_dictionaries(
    {"retriever": _JSON, "field": st.just("text"), "inference_text": st.just("tea")},
    optional={"rank_window_size": _JSON, "min_score": _JSON, "filter": _JSON, "chunk_rescorer": _JSON},
)
_BODIES = (
    st.dictionaries(_KEYS, _JSON, max_size=5)
    | st.builds(lambda ext, rest: {**rest, "ext": {"rerank": ext}}, _JSON, st.dictionaries(_KEYS, _JSON, max_size=4))
    | st.builds(lambda part: {"retriever": {"text_similarity_reranker": part}}, _RERANKER)
)


@given(_BODIES, st.booleans())
def test_whatever_a_body_holds_is_planned_passed_on_or_refused(body: dict[str, Any], elasticsearch: bool) -> None:
    """Nothing that a client sends makes it fail in another way, and what is planned can be asked."""
    planned = _planned(body, elasticsearch=elasticsearch)
    if isinstance(planned, Plan):
        assert planned.width >= planned.window >= 1
        assert planned.widened()["size"] == planned.width
    else:
        assert isinstance(planned, PassedOn) or planned


def _planned(body: dict[str, Any], *, elasticsearch: bool) -> Plan | PassedOn | str | None:
    """What is done with *body*, or the key that is refused."""
    try:
        return planner(server=ServerAtHand(elasticsearch=elasticsearch)).plan(call(body), unasked=Asked())
    except InvalidRequest as refused:
        return refused.field


def test_what_ext_says_comes_before_what_a_retriever_says() -> None:
    """Each key by itself: what ext.rerank leaves out is the retriever's."""
    part = {
        "retriever": {"standard": {}},
        "field": "text",
        "inference_text": "tea",
        "min_score": 0.25,
        "rank_window_size": 30,
        "chunk_rescorer": {},
    }
    body = {"retriever": {"text_similarity_reranker": part}, "ext": {"rerank": {"window": 20, "explain": True}}}
    planned = planner().plan(call(body))
    assert isinstance(planned, Plan)
    assert planned.asked == Asked("tea", window=20, min_score=0.25, fields=("text",), explain=True, by_chunk=True)


@pytest.mark.parametrize(
    ("index", "fields"),
    [
        ("docs", ("title",)),
        ("docs,docs-2", ("title", "text")),
        ("log-2024", ()),
        ("log-*", ()),
        ("docs,other", None),
        ("other", None),
        ("", None),
        ("*", None),
        ("_all", None),
    ],
)
def test_indexes_of_the_settings_are_those_named(index: str, fields: tuple[str, ...] | None) -> None:
    """Every part of an expression must be; their fields are read in the settings' order."""
    expected = None if fields is None else Asked(fields=fields)
    assert planner().by_default(index) == expected


def test_without_an_encoder_the_search_goes_on_as_it_came() -> None:
    """The server may know what a neural clause is."""

    def encode(text: str) -> list[float]:
        raise ModelUnavailable("still loading")

    asked = call({"query": {"neural": {"v": {"query_text": "tea"}}}})
    assert planner(encode=encode).plan(asked) == PassedOn(asked, Reason.MODEL_UNAVAILABLE)


def test_an_address_wins_over_a_body() -> None:
    """from and size of the address are the client's page, and are not sent twice."""
    body = {"query": {"match": {"text": "tea"}}, "size": 3, "ext": {"rerank": {}, "other": 1}}
    planned = planner(depth=5).plan(call(body, size="20", **{"from": "4"}, routing="r"))
    assert isinstance(planned, Plan)
    assert (planned.start, planned.size, planned.window) == (4, 20, 24)
    assert planned.target == "/i/_search?routing=r"
    assert planned.widened() == {
        "query": {"match": {"text": "tea"}},
        "ext": {"other": 1},
        "fields": ["text"],
        "from": 0,
        "size": 24,
    }


@pytest.mark.parametrize("body", [{}, {"ext": 5}, {"ext": {}}, {"ext": {"other": 1}}])
def test_only_our_own_part_is_taken_away(body: dict[str, Any]) -> None:
    """Whatever else is there is the server's."""
    assert stripped(body) == body
