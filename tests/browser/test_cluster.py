"""The page on an index of a real OpenSearch that the service did not create."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch
from playwright.sync_api import Page, expect

from tests.service.proxy.proxied_service import start_proxy, wait_until_loaded

INDEX = "news"
ARTICLES: dict[str, dict[str, Any]] = {
    "1": {"headline": "Tea", "story": "green tea is brewed from green leaves", "section": "food", "year": 2020},
    "2": {"headline": "Tea, green tea, tea", "story": "tea tea tea", "section": "food", "year": 2021},
    "3": {"headline": "Leaves", "story": "the leaves of trees are green in May", "section": "nature", "year": 2022},
}


@pytest.fixture(scope="module")
def service_url(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yields the URL of a service in front of an OpenSearch with one index of articles."""
    client = OpenSearch(opensearch_url)
    client.indices.delete(index=INDEX, ignore_unavailable=True)
    properties = {name: {"type": "text"} for name in ("headline", "story")}
    mapping = {"properties": {**properties, "section": {"type": "keyword"}, "year": {"type": "integer"}}}
    client.indices.create(index=INDEX, body={"mappings": mapping})
    for doc_id, article in ARTICLES.items():
        client.index(index=INDEX, id=doc_id, body=article)
    client.indices.refresh(index=INDEX)
    with start_proxy(opensearch_url, tmp_path_factory.mktemp("page")) as service:
        wait_until_loaded(service)
        yield service.url
    client.indices.delete(index=INDEX)
    client.close()


def keys(page: Page, ranking: str) -> list[str]:
    """Returns the keys of the hits in a list of the page."""
    expect(page.locator("#rankings")).to_be_visible()
    return [str(hit.get_attribute("data-key")) for hit in page.locator(f"#{ranking} > .hit").all()]


def test_index_of_the_cluster_is_searched_and_reranked(page: Page, service_url: str) -> None:
    """Both rankings, the chosen fields and a filter work on an index that was there before."""
    page.goto(service_url)
    page.get_by_label("Index").select_option(f"cluster:{INDEX}")
    page.get_by_role("searchbox").fill("green tea from leaves")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("candidates scored")
    assert sorted(keys(page, "reranked")) == [f"{INDEX}/{doc_id}" for doc_id in ARTICLES]
    assert sorted(keys(page, "first-stage")) == sorted(keys(page, "reranked"))
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("headline").check()
    expect(page.locator("#reranked > .hit")).to_have_count(3)
    page.get_by_role("button", name="Add filter").click()
    page.get_by_label("Value", exact=True).fill("nature")
    page.get_by_label("Value", exact=True).press("Tab")
    expect(page.locator("#reranked > .hit")).to_have_count(1)
    assert keys(page, "reranked") == [f"{INDEX}/3"]
    page.reload()
    expect(page.locator("#reranked > .hit")).to_have_count(1)


def test_copied_command_of_the_cluster_returns_the_shown_order(page: Page, service_url: str, tmp_path: Path) -> None:
    """The curl command sends `_search` with `ext.rerank`."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{service_url}/?q=green tea&index={INDEX}&cluster=true")
    shown = keys(page, "reranked")
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#copy-status")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"/{INDEX}/_search" in copied
    printed = subprocess.run(["bash", "-c", copied], capture_output=True, text=True, check=True, timeout=60).stdout
    assert [f"{hit['_index']}/{hit['_id']}" for hit in json.loads(printed)["hits"]["hits"]] == shown
