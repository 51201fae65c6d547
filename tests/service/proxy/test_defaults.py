"""Settings that re-rank plain searches, or only watch them, and what stops a reranker that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank.core.errors import SettingError
from rerank.core.settings import Settings, load_settings
from rerank.service.proxy.search.breaker import FAILURES, PAUSE_SECONDS, Breaker, BreakerState
from rerank.service.proxy.search.shadow import Difference
from tests.service.proxy.library import INDEX, MATCH, fill, ids, reranked, search, told
from tests.service.proxy.scripted import until
from tests.service.proxy.standing import Standing, standing_before, until_loaded


@pytest.fixture(scope="module", autouse=True)
def _library(opensearch_url: str) -> None:
    fill(opensearch_url)
    fill(opensearch_url, "plain")


@pytest.fixture(scope="module")
def by_default(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A service that re-ranks the searches of some indexes unasked."""
    folder = tmp_path_factory.mktemp("default")
    with standing_before(opensearch_url, folder, proxy_indexes=f"{INDEX}=title,text;shop-*") as service:
        until_loaded(service)
        yield service


@pytest.mark.parametrize("target", [f"/{INDEX}/_search", f"/{INDEX},{INDEX}/_search"])
def test_a_client_need_not_know(by_default: Standing, target: str) -> None:
    """A plain search of an index in the settings comes back re-ranked."""
    reply = search(by_default, {"query": MATCH}, target)
    assert (told(reply), set(ids(reply)[:2])) == (("true", ""), {"2", "4"})


def test_other_indexes_are_left_alone(by_default: Standing) -> None:
    """All names of an expression must be in the settings."""
    for target in ("/plain/_search", f"/{INDEX},plain/_search", "/_search"):
        assert told(search(by_default, {"query": MATCH}, target)) == ("absent", "absent")


def test_what_cannot_be_re_ranked_says_why(by_default: Standing) -> None:
    """The body is OpenSearch's own, byte by byte; the header has the reason."""
    for body, reason in (({"query": {"match_all": {}}}, "no_query_text"), ({"query": MATCH, "size": 0}, "size")):
        reply = search(by_default, body)
        assert told(reply) == ("false", reason)
        assert "_rerank" not in reply.json()
    nonsense = by_default.ask("POST", f"/{INDEX}/_search", b"nonsense", {"Content-Type": "application/json"})
    assert (nonsense.status, told(nonsense)) == (400, ("false", "not_json"))


def test_get_without_a_body_is_a_search_too(by_default: Standing) -> None:
    """By q= in the address; and without any words it is OpenSearch's."""
    assert told(by_default.ask("GET", f"/{INDEX}/_search?q=everything:tea")) == ("true", "")
    assert told(by_default.ask("GET", f"/{INDEX}/_search")) == ("false", "no_query_text")


def test_a_broken_reranker_is_left_alone_until_it_is_mended(opensearch_url: str, tmp_path: Path) -> None:
    """Searches go on in OpenSearch's order; after five failures the model is not asked, as /ready and metrics say."""
    body = {"query": MATCH, "ext": reranked(query_context={"query_text": "break"})}
    good = {"query": MATCH, "ext": reranked()}
    with standing_before(opensearch_url, tmp_path) as service:
        until_loaded(service)
        assert service.ask("GET", "/ready").json()["breaker"] == "closed"
        for _ in range(FAILURES):
            reply = search(service, body)
            assert (reply.status, told(reply)) == (200, ("false", "error"))
            assert reply.json()["_rerank"]["reason"] == "error"
        reply = search(service, good)
        assert (reply.status, told(reply), "_rerank" in reply.json()) == (200, ("false", "breaker_open"), False)
        ready = service.ask("GET", "/ready")
        assert (ready.status, ready.json()["breaker"]) == (200, "open")
        counted = service.ask("GET", "/metrics").body.decode()
    assert "rerank_breaker_open 1.0" in counted
    assert 'rerank_proxy_searches_total{applied="false",reason="breaker_open"} 1.0' in counted


def test_searches_go_on_without_a_model(opensearch_url: str, tmp_path: Path) -> None:
    """A model that cannot be loaded makes /ready 503, and every search OpenSearch's own with the reason."""
    (tmp_path / "no-model").touch()
    with standing_before(opensearch_url, tmp_path, proxy_indexes=INDEX) as service:
        until(lambda: "no weights" in service.ask("GET", "/ready").json().get("message", ""))
        assert service.ask("GET", "/ready").status == 503
        for body in ({"query": MATCH}, {"query": MATCH, "ext": reranked()}):
            reply = search(service, body)
            assert (reply.status, told(reply), len(ids(reply))) == (200, ("false", "model_unavailable"), 7)


def test_the_breaker_opens_tries_and_closes() -> None:
    """Five failures in a row open it; after the pause one search is tried, and decides."""
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(FAILURES - 1):
        assert breaker.allows()
        breaker.record(succeeded=False)
    breaker.record(succeeded=True)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.record(succeeded=False)
    assert (breaker.state, breaker.allows()) == (BreakerState.OPEN, False)
    now[0] = PAUSE_SECONDS
    assert (breaker.state, breaker.allows(), breaker.allows()) == (BreakerState.HALF_OPEN, True, False)
    breaker.record(succeeded=False)
    assert (breaker.state, breaker.allows()) == (BreakerState.OPEN, False)
    now[0] = 2 * PAUSE_SECONDS
    assert breaker.allows()
    breaker.pass_over()
    assert breaker.allows()
    breaker.record(succeeded=True)
    assert (breaker.state, breaker.allows(), breaker.allows()) == (BreakerState.CLOSED, True, True)


def test_a_slow_reranker_is_cut_off_and_says_so(before_opensearch: Standing) -> None:
    """What it read in its time comes first; the reason is told."""
    asked = reranked(query_context={"query_text": "slow"}, timeout_ms=60)
    reply = search(before_opensearch, {"query": MATCH, "ext": asked})
    report = reply.json()["_rerank"]
    assert (reply.status, told(reply), len(ids(reply))) == (200, ("true", "timeout"), 7)
    assert 0 < report["scored"] < report["candidates"] == 7


def test_a_client_that_leaves_frees_the_reranker(before_opensearch: Standing) -> None:
    """Nobody reads on for nobody: the search is counted as left, and no failure of the reranker's."""
    (before_opensearch.folder / "reading").unlink(missing_ok=True)
    body = json.dumps({"query": MATCH, "ext": reranked(query_context={"query_text": "slow"})}).encode()
    client = before_opensearch.connect()
    client.sendall(b"POST /library/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    client.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    until((before_opensearch.folder / "reading").exists)
    client.close()
    left = 'rerank_http_requests_total{method="POST",route="proxy",status="499"} 1.0'
    until(lambda: left in before_opensearch.ask("GET", "/metrics").body.decode())
    assert before_opensearch.ask("GET", "/ready").json()["breaker"] == "closed"


def test_the_shadow_counts_and_changes_nothing(opensearch_url: str, tmp_path: Path) -> None:
    """Answers are OpenSearch's own; beside them the orders are compared. Whoever asks for re-ranking gets it."""
    with standing_before(opensearch_url, tmp_path, proxy_indexes=f"{INDEX}=title,text", proxy_shadow=1.0) as service:
        until_loaded(service)
        plain = search(service, {"query": MATCH, "size": 3})
        assert (told(plain), "_rerank" in plain.json()) == (("absent", "absent"), False)
        search(service, {"query": {"match_all": {}}})
        search(service, {"query": MATCH}, "/plain/_search")
        assert told(search(service, {"query": MATCH, "ext": reranked()})) == ("true", "")

        def counted() -> str:
            return service.ask("GET", "/metrics").body.decode()

        until(lambda: 'rerank_shadow_searches_total{outcome="none"} 1.0' in counted())
        assert 'rerank_shadow_searches_total{outcome="compared"} 1.0' in counted()
        assert "rerank_shadow_overlap_at_10_count 1.0" in counted()
        assert re.search(r"rerank_shadow_rank_correlation_count 1\.0", counted())


@pytest.mark.parametrize(
    ("before", "after", "overlap", "correlation"),
    [
        ("abcdefghijkl", "abcdefghijkl", 1.0, 1.0),
        ("abcdefghijkl", "lkjihgfedcba", 0.8, -1.0),
        ("abc", "acb", 1.0, 0.5),
        ("a", "a", 1.0, 1.0),
        ("abcd", "ba", 0.5, -1.0),
    ],
)
def test_orders_are_compared_by_their_tops_and_ranks(
    before: str, after: str, overlap: float, correlation: float
) -> None:
    """The share of the first ten in common, and Spearman's correlation of what both have."""
    keys = {name: ("i", name) for name in before}
    difference = Difference.between([keys[name] for name in before], [keys[name] for name in after])
    assert (difference.overlap, round(difference.correlation, 9)) == (overlap, correlation)


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ("docs=title,text;logs-*", (("docs", ("title", "text")), ("logs-*", ()))),
        (" docs = title , text ; ", (("docs", ("title", "text")),)),
        ("", ()),
    ],
)
def test_indexes_with_their_fields_are_one_setting(text: str, indexes: object, tmp_path: Path) -> None:
    """`name=field,field;name`, or a table in rerank.toml."""
    environ = {"RERANK_PROXY_INDEXES": text}
    assert load_settings({}, environ=environ, directory=tmp_path).settings.proxy_indexes == indexes
    assert Settings(proxy_indexes={"docs": ["title"], "logs": []}).proxy_indexes == (("docs", ("title",)), ("logs", ()))


@pytest.mark.parametrize(("name", "value"), [("PROXY_INDEXES", "=title"), ("PROXY_SHADOW", "2"), ("PROXY_SHADOW", "x")])
def test_settings_that_cannot_be_are_refused(name: str, value: str, tmp_path: Path) -> None:
    """With the setting's name."""
    with pytest.raises(SettingError, match=name.lower()):
        load_settings({}, environ={f"RERANK_{name}": value}, directory=tmp_path)
