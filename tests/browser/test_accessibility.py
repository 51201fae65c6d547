"""Accessibility of the pages, checked by axe in Chromium."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Serve
from tests.service import fake_service

STANDARDS = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
MINIMUM_TARGET_PX = 44


def assert_accessible(page: Page) -> None:
    """Asserts that axe finds nothing."""
    violations = Axe().run(page, options=STANDARDS).response["violations"]
    assert [(found["id"], [node["target"] for node in found["nodes"]]) for found in violations] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_search_page_has_no_violation(page: Page, serve: Serve, scheme: Literal["light", "dark"]) -> None:
    """The start, the results with open reasons and filters, and the comparison pass axe in both color schemes."""
    page.emulate_media(color_scheme=scheme)
    page.goto(serve())
    expect(page.locator("#status")).to_contain_text("Enter a query")
    assert_accessible(page)
    page.get_by_role("searchbox").fill("green tea")
    page.keyboard.press("Enter")
    page.locator("#reranked .why summary").first.click()
    page.get_by_text("Settings", exact=True).click()
    page.get_by_role("button", name="Add filter").click()
    expect(page.locator("#reranked .features").first).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Compare settings").click()
    page.get_by_label("Queries, one per line").fill("green tea")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#compare-results")).to_be_visible()
    assert_accessible(page)


def test_error_and_reference_have_no_violation(page: Page, serve: Serve) -> None:
    """The state that asks for a key, and /docs, pass axe."""
    url = serve()
    page.goto(f"{url}/docs")
    assert_accessible(page)
    page.route("**/indexes", lambda route: route.fulfill(status=401, json={"message": "A key is required."}))
    page.goto(url)
    expect(page.locator("#key-form")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize("width", [320, 1280])
def test_controls_are_large_and_the_page_never_scrolls_sideways(page: Page, serve: Serve, width: int) -> None:
    """Every control has at least 44 px in height, and a phone shows one column."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{serve()}/?q=green tea")
    expect(page.locator("#rankings")).to_be_visible()
    small = [
        control.evaluate("control => control.outerHTML")
        for control in page.locator("button:visible, select:visible, input:visible, summary:visible").all()
        if (box := control.bounding_box()) and box["height"] < MINIMUM_TARGET_PX
    ]
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    columns = {hit.evaluate("hit => hit.getBoundingClientRect().left") for hit in page.locator(".hit").all()}
    assert len(columns) == (1 if width == 320 else 2)


def test_reader_of_a_screen_hears_the_result(page: Page, serve: Serve) -> None:
    """The status is a live region, and each movement has words besides its symbol."""
    page.goto(f"{serve(fake_service.components())}/?q=green tea")
    expect(page.get_by_role("status").first).to_contain_text("candidates scored by fake-reranker")
    assert page.locator("#reranked .movement .hidden").first.inner_text() in ("unchanged", "up 1, was 2", "up 2, was 3")
