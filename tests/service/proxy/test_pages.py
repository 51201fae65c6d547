"""Page after page of one ranking, on the real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rerank.core.search import RerankReport
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.composing import Outcome
from rerank.service.proxy.search.hits import Placed, followed_by
from rerank.service.proxy.search.kept import KEEP_SECONDS, MAX_PLACES, MAX_RANKINGS, KeptRanking, KeptRankings
from tests.service.proxy.library import MATCH, fill, ids, reranked, search, told
from tests.service.proxy.standing import Reply, Standing

PAGED = "paged"
DOCUMENTS = {str(i): {"text": " ".join(["tea"] * (i % 5 + 1) + ["green"] * (i % 3))} for i in range(40)}
REPORT = RerankReport(applied=True, reason=None, model="m", candidates=1)


@pytest.fixture
def paged(before_opensearch: Standing) -> Iterator[Standing]:
    """An index of forty documents that only this test changes."""
    fill(before_opensearch.server, PAGED, DOCUMENTS)
    yield before_opensearch
    before_opensearch.ask("DELETE", f"/{PAGED}")


def page(service: Standing, start: int, size: int = 5, **body: object) -> Reply:
    """One page."""
    asked = {"query": MATCH, "from": start, "size": size, "ext": reranked(fields=["text"], window=20), **body}
    reply = search(service, asked, f"/{PAGED}/_search")
    assert (reply.status, told(reply)) == (200, ("true", ""))
    return reply


def test_pages_are_parts_of_one_ranking(paged: Standing) -> None:
    """Put together they are the ranking, each hit once, with falling scores; beyond the window too."""
    whole = page(paged, 0, 40)
    replies = [page(paged, start) for start in range(0, 40, 5)]
    assert [doc_id for reply in replies for doc_id in ids(reply)] == ids(whole)
    scores = [hit["_score"] for reply in replies for hit in reply.json()["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert {reply.json()["hits"]["total"]["value"] for reply in replies} == {40}
    assert ids(page(paged, 40)) == []


def test_a_page_goes_on_where_the_one_before_ended_though_the_index_changes(paged: Standing) -> None:
    """New documents wait for the next first page; one that was deleted is left out."""
    first = page(paged, 0)
    following = ids(page(paged, 5))
    page(paged, 0)
    for doc_id in ("new-1", "new-2"):
        paged.ask("PUT", f"/{PAGED}/_doc/{doc_id}", {"text": "green tea leaves"})
    paged.ask("DELETE", f"/{PAGED}/_doc/{following[0]}?refresh=true")
    assert ids(page(paged, 5)) == following[1:]
    assert page(paged, 5).json()["hits"]["total"] == first.json()["hits"]["total"]
    assert set(ids(page(paged, 0))[:2]) == {"new-1", "new-2"}


def test_a_page_may_be_shown_in_another_way(paged: Standing) -> None:
    """What is only shown (source, highlights, aggregations) does not begin another ranking."""
    page(paged, 0)
    shown: dict[str, Any] = {
        "_source": False,
        "highlight": {"fields": {"everything": {}}},
        "aggs": {"n": {"value_count": {"field": "_id"}}},
    }
    second = page(paged, 5, **shown)
    assert ids(second) == ids(page(paged, 5))
    assert second.json()["aggregations"]["n"]["value"] == 40
    assert all("_source" not in hit for hit in second.json()["hits"]["hits"])


def test_another_filter_is_another_ranking(paged: Standing) -> None:
    """A post_filter of the client's own holds on later pages too."""
    page(paged, 0)
    kept = {"ids": {"values": [str(i) for i in range(10)]}}
    assert len(ids(page(paged, 0, 20, post_filter=kept))) == 10
    assert set(ids(page(paged, 5, 5, post_filter=kept))) < {str(i) for i in range(10)}


def _ranking(name: str) -> KeptRanking:
    return KeptRanking((Placed(("i", name), 1, 1.0, 0.5),), REPORT, None)


def test_rankings_are_kept_for_a_while_and_only_so_many() -> None:
    """Old ones are forgotten, and the oldest makes room."""
    now = [0.0]
    kept = KeptRankings(clock=lambda: now[0])
    kept.put("a", _ranking("a"))
    now[0] = KEEP_SECONDS - 1
    assert kept.get("a") == _ranking("a")
    now[0] = KEEP_SECONDS
    assert kept.get("a") is None
    for i in range(MAX_RANKINGS + 1):
        kept.put(str(i), _ranking(str(i)))
    assert (kept.get("0"), kept.get("1")) == (None, _ranking("1"))


def test_long_rankings_make_room_for_each_other() -> None:
    """However many hits they have, all that are kept stay within one bound."""
    kept = KeptRankings()
    place = Placed(("i", "a"), 1, 1.0, 0.5)
    half = KeptRanking((place,) * (MAX_PLACES // 2), REPORT, None)
    for name in ("a", "b", "b", "c"):
        kept.put(name, half)
    assert [kept.get(name) is not None for name in ("a", "b", "c")] == [False, True, True]
    kept.put("c", KeptRanking((place,) * (MAX_PLACES + 1), REPORT, None))
    assert [kept.get(name) is not None for name in ("b", "c")] == [True, False]


def test_what_follows_a_ranking_has_lower_scores_and_comes_once() -> None:
    """In the server's order, behind the window."""
    order = [Placed(("i", "b"), 2, 1.0, 0.9), Placed(("i", "a"), 1, 2.0, 0.6)]
    hits = [{"_index": "i", "_id": name, "_score": 1.0} for name in "abcbd"]
    followed = followed_by(order, hits, after=2)
    assert [entry.key[1] for entry in followed] == ["b", "a", "c", "d"]
    assert [round(entry.score, 2) for entry in followed] == [0.9, 0.6, 0.4, 0.2]
    assert [entry.retrieval_rank for entry in followed[2:]] == [3, 5]


def test_a_call_without_numbers_has_none() -> None:
    """from and size are the address's before the body's, and whole numbers or nothing."""
    call = SearchCall("i", (("size", "7"),), {"size": 3, "from": "2"}, ())
    assert (call.number("size", 10), call.number("from", 0)) == (7, 2)
    odd = SearchCall("i", (), {"size": True, "from": [1]}, ())
    assert (odd.number("size", 10), odd.number("from", 0)) == (None, None)
    assert Outcome(None).headers(1.0)[0] == ("x-rerank-applied", "false")
