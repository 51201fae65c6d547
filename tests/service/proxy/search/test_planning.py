from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.errors import InvalidRequest, ModelUnavailable
from rerank.core.search import Reason
from rerank.service.proxy.address import Address
from rerank.service.proxy.search.backend_client import BackendClient
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.plan import Plan, without_rerank_extension
from rerank.service.proxy.search.planning import PassThrough, Planner
from rerank.service.proxy.search.rerank_options import RerankOptions
from rerank.service.proxy.search.text_fields import TextFields
from rerank.service.proxy.upstream import Upstream

MAPPING = {"i": {"mappings": {"properties": {"text": {"type": "text"}}}}}


class KnownBackend(BackendClient):
    """Client of a server whose kind is known without a request."""

    def __init__(self, *, elasticsearch: bool = False) -> None:
        super().__init__(Upstream(Address("http", "nowhere.invalid", 1), timeout=1))
        self._known = elasticsearch

    def is_elasticsearch(self, call: SearchCall) -> bool:
        return self._known


def planner(**changes: Any) -> Planner:
    """Returns a planner with the given parts replaced."""
    parts: dict[str, Any] = {
        "backend": KnownBackend(),
        "fields": TextFields(lambda call, target: MAPPING),
        "encode": lambda text: [0.5, 0.5],
        "indexes": (("docs", ("title",)), ("log-*", ()), ("docs-2", ("text", "title"))),
        "depth": 100,
    }
    return Planner(**(parts | changes))


def call(body: dict[str, Any], index: str = "i", **params: str) -> SearchCall:
    """Returns a search of *index*."""
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
def test_any_body_is_planned_passed_through_or_refused(body: dict[str, Any], elasticsearch: bool) -> None:
    """Every plan has a valid size, and the only error is InvalidRequest."""
    planned = _planned(body, elasticsearch=elasticsearch)
    if isinstance(planned, Plan):
        assert planned.width >= planned.window >= 1
        assert planned.window_body()["size"] == planned.width
    else:
        assert isinstance(planned, PassThrough) or planned


def _planned(body: dict[str, Any], *, elasticsearch: bool) -> Plan | PassThrough | str | None:
    """Returns the decision for *body*, or the key that is refused."""
    try:
        return planner(backend=KnownBackend(elasticsearch=elasticsearch)).plan(call(body), default=RerankOptions())
    except InvalidRequest as refused:
        return refused.field


def test_ext_options_override_those_of_the_retriever() -> None:
    """Options that ext.rerank leaves out come from the retriever."""
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
    assert planned.options == RerankOptions(
        "tea", window=20, min_score=0.25, fields=("text",), explain=True, best_chunk=True
    )


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
def test_default_options_require_every_index_in_the_settings(index: str, fields: tuple[str, ...] | None) -> None:
    """The fields keep the order of the settings."""
    expected = None if fields is None else RerankOptions(fields=fields)
    assert planner().default_options(index) == expected


def test_neural_search_without_encoder_passes_through_unchanged() -> None:
    """The server may support neural clauses itself."""

    def encode(text: str) -> list[float]:
        raise ModelUnavailable("still loading")

    neural = call({"query": {"neural": {"v": {"query_text": "tea"}}}})
    assert planner(encode=encode).plan(neural) == PassThrough(neural, Reason.MODEL_UNAVAILABLE)


def test_url_page_overrides_body_page() -> None:
    """`from` and `size` of the URL define the page and are not sent twice."""
    body = {"query": {"match": {"text": "tea"}}, "size": 3, "ext": {"rerank": {}, "other": 1}}
    planned = planner(depth=5).plan(call(body, size="20", **{"from": "4"}, routing="r"))
    assert isinstance(planned, Plan)
    assert (planned.start, planned.size, planned.window) == (4, 20, 24)
    assert planned.target == "/i/_search?routing=r"
    assert planned.window_body() == {
        "query": {"match": {"text": "tea"}},
        "ext": {"other": 1},
        "fields": ["text"],
        "from": 0,
        "size": 24,
    }


@pytest.mark.parametrize("body", [{}, {"ext": 5}, {"ext": {}}, {"ext": {"other": 1}}])
def test_other_extensions_stay_in_the_body(body: dict[str, Any]) -> None:
    """Only ext.rerank is removed."""
    assert without_rerank_extension(body) == body
