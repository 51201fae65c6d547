"""Reranking of plain searches by the setting proxy_indexes, timeouts, and missing models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank.core.errors import SettingError
from rerank.core.settings import Settings
from rerank.core.settings_loading import load_settings
from tests.service.proxy.proxied_service import ProxiedService, start_proxy, wait_until_loaded
from tests.service.proxy.sample_index import INDEX, MATCH, fill, ids, rerank_ext, rerank_result, search
from tests.service.proxy.scripted_server import wait_until


@pytest.fixture(scope="module", autouse=True)
def _sample_indexes(opensearch_url: str) -> None:
    fill(opensearch_url)
    fill(opensearch_url, "plain")


@pytest.fixture(scope="module")
def default_proxy(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedService]:
    """Yields a service that reranks the plain searches of some indexes."""
    folder = tmp_path_factory.mktemp("default")
    with start_proxy(opensearch_url, folder, proxy_indexes=f"{INDEX}=title,text;shop-*") as service:
        wait_until_loaded(service)
        yield service


@pytest.mark.parametrize("target", [f"/{INDEX}/_search", f"/{INDEX},{INDEX}/_search"])
def test_plain_search_of_a_default_index_is_reranked(default_proxy: ProxiedService, target: str) -> None:
    """The client sends no options."""
    reply = search(default_proxy, {"query": MATCH}, target)
    assert (rerank_result(reply), set(ids(reply)[:2])) == (("true", ""), {"2", "4"})


def test_search_of_other_indexes_is_not_reranked(default_proxy: ProxiedService) -> None:
    """The setting must cover all indexes of an expression."""
    for target in ("/plain/_search", f"/{INDEX},plain/_search", "/_search"):
        assert rerank_result(search(default_proxy, {"query": MATCH}, target)) == ("absent", "absent")


def test_ineligible_search_of_a_default_index_has_a_reason(default_proxy: ProxiedService) -> None:
    """The body is OpenSearch's own. The header has the reason."""
    for body, reason in (({"query": {"match_all": {}}}, "no_query_text"), ({"query": MATCH, "size": 0}, "size")):
        reply = search(default_proxy, body)
        assert rerank_result(reply) == ("false", reason)
        assert "_rerank" not in reply.json()
    invalid = default_proxy.send("POST", f"/{INDEX}/_search", b"nonsense", {"Content-Type": "application/json"})
    assert (invalid.status, rerank_result(invalid)) == (400, ("false", "not_json"))


def test_get_without_a_body_is_reranked(default_proxy: ProxiedService) -> None:
    """The query text comes from the URL parameter `q`."""
    assert rerank_result(default_proxy.send("GET", f"/{INDEX}/_search?q=everything:tea")) == ("true", "")
    assert rerank_result(default_proxy.send("GET", f"/{INDEX}/_search")) == ("false", "no_query_text")


def test_missing_model_leaves_first_stage_order(opensearch_url: str, tmp_path: Path) -> None:
    """/ready returns 503 if a model cannot be loaded, and every search has the reason."""
    (tmp_path / "no-model").touch()
    with start_proxy(opensearch_url, tmp_path, proxy_indexes=INDEX) as service:
        wait_until(lambda: "no weights" in service.send("GET", "/ready").json().get("message", ""))
        assert service.send("GET", "/ready").status == 503
        for body in ({"query": MATCH}, {"query": MATCH, "ext": rerank_ext()}):
            reply = search(service, body)
            assert (reply.status, rerank_result(reply)) == (200, ("false", "model_unavailable"))
            assert len(ids(reply)) == 7


def test_timeout_returns_the_scored_hits_first(opensearch_proxy: ProxiedService) -> None:
    """The reason is `timeout`, and the report counts the scored hits."""
    ext = rerank_ext(query_context={"query_text": "slow"}, timeout_ms=60)
    reply = search(opensearch_proxy, {"query": MATCH, "ext": ext})
    report = reply.json()["_rerank"]
    assert (reply.status, rerank_result(reply), len(ids(reply))) == (200, ("true", "timeout"), 7)
    assert 0 < report["scored"] < report["candidates"] == 7


def test_client_disconnect_cancels_reranking(opensearch_proxy: ProxiedService) -> None:
    """The search counts as status 499, and not as a failure of the reranker."""
    (opensearch_proxy.folder / "scoring").unlink(missing_ok=True)
    body = json.dumps({"query": MATCH, "ext": rerank_ext(query_context={"query_text": "slow"})}).encode()
    client = opensearch_proxy.connect()
    client.sendall(f"POST /{INDEX}/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode())
    client.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    wait_until((opensearch_proxy.folder / "scoring").exists)
    client.close()
    counted = 'rerank_http_requests_total{method="POST",route="proxy",status="499"} 1.0'
    wait_until(lambda: counted in opensearch_proxy.send("GET", "/metrics").body.decode())
    assert opensearch_proxy.send("GET", "/ready").json()["breaker"] == "closed"


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ("docs=title,text;logs-*", (("docs", ("title", "text")), ("logs-*", ()))),
        (" docs = title , text ; ", (("docs", ("title", "text")),)),
        ("", ()),
    ],
)
def test_proxy_indexes_setting_is_parsed(text: str, indexes: object, tmp_path: Path) -> None:
    """The setting has the form `name=field,field;name`, or is a table in rerank.toml."""
    environ = {"RERANK_PROXY_INDEXES": text}
    assert load_settings({}, environ=environ, directory=tmp_path).settings.proxy_indexes == indexes
    assert Settings(proxy_indexes={"docs": ["title"], "logs": []}).proxy_indexes == (("docs", ("title",)), ("logs", ()))


@pytest.mark.parametrize(("name", "value"), [("PROXY_INDEXES", "=title"), ("PROXY_SHADOW", "2"), ("PROXY_SHADOW", "x")])
def test_invalid_proxy_setting_is_refused(name: str, value: str, tmp_path: Path) -> None:
    """The error names the setting."""
    with pytest.raises(SettingError, match=name.lower()):
        load_settings({}, environ={f"RERANK_{name}": value}, directory=tmp_path)
