"""Pages of one ranking, from a real server and from the ranking cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.hits import RankedHit, with_remaining_hits
from rerank.service.proxy.search.search_response import Outcome
from tests.service.proxy.proxied_service import ProxiedService, Reply
from tests.service.proxy.sample_index import MATCH, fill, ids, rerank_ext, rerank_result, search

PAGED = "paged"
DOCUMENTS = {str(i): {"text": " ".join(["tea"] * (i % 5 + 1) + ["green"] * (i % 3))} for i in range(40)}


@pytest.fixture
def paged(opensearch_proxy: ProxiedService) -> Iterator[ProxiedService]:
    """Yields a service with an index of forty documents, which is recreated for each test."""
    fill(opensearch_proxy.server, PAGED, DOCUMENTS)
    yield opensearch_proxy
    opensearch_proxy.send("DELETE", f"/{PAGED}")


def page(service: ProxiedService, start: int, size: int = 5, **body: object) -> Reply:
    """Fetches one page."""
    request = {"query": MATCH, "from": start, "size": size, "ext": rerank_ext(fields=["text"], window=20), **body}
    reply = search(service, request, f"/{PAGED}/_search")
    assert (reply.status, rerank_result(reply)) == (200, ("true", ""))
    return reply


def test_pages_form_one_ranking(paged: ProxiedService) -> None:
    """The pages contain each hit once, with decreasing scores, also beyond the window."""
    all_hits = page(paged, 0, 40)
    replies = [page(paged, start) for start in range(0, 40, 5)]
    assert [doc_id for reply in replies for doc_id in ids(reply)] == ids(all_hits)
    scores = [hit["_score"] for reply in replies for hit in reply.json()["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert {reply.json()["hits"]["total"]["value"] for reply in replies} == {40}
    assert ids(page(paged, 40)) == []


def test_pages_stay_consistent_while_the_index_changes(paged: ProxiedService) -> None:
    """New documents appear when the first page is fetched again. Deleted documents disappear at once."""
    first = page(paged, 0)
    second = ids(page(paged, 5))
    page(paged, 0)
    for doc_id in ("new-1", "new-2"):
        paged.send("PUT", f"/{PAGED}/_doc/{doc_id}", {"text": "green tea leaves"})
    paged.send("DELETE", f"/{PAGED}/_doc/{second[0]}?refresh=true")
    assert ids(page(paged, 5)) == second[1:]
    assert page(paged, 5).json()["hits"]["total"] == first.json()["hits"]["total"]
    assert set(ids(page(paged, 0))[:2]) == {"new-1", "new-2"}


def test_presentation_options_keep_the_ranking(paged: ProxiedService) -> None:
    """A page with another `_source`, highlights or aggregations continues the same ranking."""
    page(paged, 0)
    presentation: dict[str, Any] = {
        "_source": False,
        "highlight": {"fields": {"everything": {}}},
        "aggs": {"n": {"value_count": {"field": "_id"}}},
    }
    shown = page(paged, 5, **presentation)
    assert ids(shown) == ids(page(paged, 5))
    assert shown.json()["aggregations"]["n"]["value"] == 40
    assert all("_source" not in hit for hit in shown.json()["hits"]["hits"])


def test_other_post_filter_is_another_ranking(paged: ProxiedService) -> None:
    """The client's post_filter applies to later pages too."""
    page(paged, 0)
    post_filter = {"ids": {"values": [str(i) for i in range(10)]}}
    assert len(ids(page(paged, 0, 20, post_filter=post_filter))) == 10
    assert set(ids(page(paged, 5, 5, post_filter=post_filter))) < {str(i) for i in range(10)}


def test_remaining_hits_follow_with_lower_scores() -> None:
    """The remaining hits follow the window in first-stage order, each once."""
    order = [RankedHit(("i", "b"), 2, 1.0, 0.9), RankedHit(("i", "a"), 1, 2.0, 0.6)]
    hits = [{"_index": "i", "_id": name, "_score": 1.0} for name in "abcbd"]
    complete = with_remaining_hits(order, hits, after=2)
    assert [entry.key[1] for entry in complete] == ["b", "a", "c", "d"]
    assert [round(entry.score, 2) for entry in complete] == [0.9, 0.6, 0.4, 0.2]
    assert [entry.retrieval_rank for entry in complete[2:]] == [3, 5]


def test_url_parameters_override_the_body() -> None:
    """`from` and `size` must be integers. Other values yield None."""
    call = SearchCall("i", (("size", "7"),), {"size": 3, "from": "2"}, ())
    assert (call.number("size", 10), call.number("from", 0)) == (7, 2)
    invalid = SearchCall("i", (), {"size": True, "from": [1]}, ())
    assert (invalid.number("size", 10), invalid.number("from", 0)) == (None, None)
    assert Outcome(None).headers(1.0)[0] == ("x-rerank-applied", "false")


def test_pages_over_indexes_with_equal_ids_contain_each_hit_once(opensearch_proxy: ProxiedService) -> None:
    """A hit is an index and an id, also behind an alias."""
    names = [f"same-ids-{i}" for i in range(4)]
    for name in names:
        fill(opensearch_proxy.server, name, {str(i): DOCUMENTS[str(i)] for i in range(10)})
    actions = [{"add": {"index": name, "alias": "same-ids"}} for name in names]
    assert opensearch_proxy.send("POST", "/_aliases", {"actions": actions}).status == 200
    for target in ("/same-ids-*/_search", "/same-ids/_search"):
        seen = []
        for start in range(0, 40, 5):
            request = {"query": MATCH, "from": start, "size": 5, "ext": rerank_ext(fields=["text"])}
            seen += [
                (hit["_index"], hit["_id"]) for hit in search(opensearch_proxy, request, target).json()["hits"]["hits"]
            ]
        assert sorted(seen) == sorted((name, str(i)) for name in names for i in range(10))
