"""The view that compares two settings, in Chromium."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Serve


def test_comparison_lists_each_query_and_exports_the_ranks(page: Page, serve: Serve) -> None:
    """Each query has its common hits, first hit and movers. The CSV has both ranks of each hit."""
    page.goto(serve())
    expect(page.locator("#status")).to_contain_text("Enter a query")
    page.get_by_role("button", name="Compare settings").click()
    page.get_by_label("Queries, one per line").fill("green tea\n\nmilk")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#compare-status")).to_contain_text("2 queries. The first hit changes in")
    assert page.locator("#compare-table th").all_inner_texts() == ["green tea", "milk"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert {row["query"] for row in rows} == {"green tea", "milk"}
    ranks = sorted(int(row["rank_b"]) for row in rows if row["query"] == "milk" and row["rank_b"])
    assert ranks == list(range(1, len(ranks) + 1))


def test_equal_settings_change_nothing(page: Page, serve: Serve) -> None:
    """Both sides without reranking have the same hits in the same order."""
    page.goto(serve())
    expect(page.locator("#status")).to_contain_text("Enter a query")
    page.get_by_role("button", name="Compare settings").click()
    page.get_by_label("Queries, one per line").fill("green tea")
    page.get_by_role("group", name="Settings B").get_by_label("Rerank", exact=True).uncheck()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#compare-table")).to_contain_text("No hit moved.")
    expect(page.locator("#compare-status")).to_contain_text("The first hit changes in 0.")
