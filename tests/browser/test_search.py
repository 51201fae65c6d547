"""The search view in Chromium, with fake models."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from rerank.core.document import Document
from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from tests.browser.conftest import TIMEOUT_MS, Serve
from tests.fakes import FakeModels, FakeReranker
from tests.memory_store import InMemoryStore
from tests.service import fake_service

QUERY = "green tea"


def keys(page: Page, ranking: str) -> list[str]:
    """Returns the keys of the hits in a list of the page."""
    expect(page.locator("#rankings")).to_be_visible()
    return [str(hit.get_attribute("data-key")) for hit in page.locator(f"#{ranking} > .hit").all()]


def post_search(page: Page, url: str, **body: object) -> dict[str, Any]:
    """Returns the service's own response."""
    response = page.request.post(f"{url}/search", data={"index": fake_service.INDEX, **body})
    result: dict[str, Any] = response.json()
    return result


def wait_for(event: threading.Event) -> None:
    """Waits until *event* is set."""
    event.wait(TIMEOUT_MS / 1000)


def test_query_in_the_url_shows_both_rankings_with_movements(page: Page, serve: Serve) -> None:
    """The left list is the first stage, the right one the reranked order, with old rank, score and lines."""
    url = serve()
    page.goto(f"{url}/?q={QUERY}")
    hits = post_search(page, url, query=QUERY, min_score=0)["hits"]
    assert keys(page, "reranked") == [hit["doc_id"] for hit in hits]
    first_stage = post_search(page, url, query=QUERY, rerank=False)["hits"]
    assert keys(page, "first-stage") == [hit["doc_id"] for hit in first_stage]
    moved = [hit["retrieval_rank"] - hit["rank"] for hit in hits]
    symbols = ["=" if step == 0 else f"{'▲' if step > 0 else '▼'}{abs(step)}" for step in moved]
    assert page.locator("#reranked .movement > [aria-hidden]").all_inner_texts() == symbols
    assert page.locator("#lines path").count() == len(hits)


def test_search_starts_while_typing_and_updates_the_url(page: Page, serve: Serve) -> None:
    """A pause in typing starts a search. The URL reproduces the view, and Back restores the earlier one."""
    url = serve()
    page.goto(url)
    page.get_by_role("searchbox").press_sequentially("coffee")
    expect(page).to_have_url(f"{url}/?q=coffee&index=docs")
    expect(page.locator("#rankings")).to_be_visible()
    page.get_by_role("searchbox").fill("milk")
    page.keyboard.press("Enter")
    expect(page.locator("#reranked .hit h3").first).to_have_text("milk")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("coffee")
    page.reload()
    expect(page.locator("#rankings")).to_be_visible()


def test_query_typed_while_the_page_loads_is_kept(page: Page, serve: Serve) -> None:
    """The list of indexes arrives after the query, which is then searched."""
    url = serve()

    def delay(route: Route) -> None:
        page.get_by_role("searchbox").fill("coffee")
        route.continue_()

    page.route("**/indexes", delay)
    page.goto(url)
    expect(page.locator("#rankings")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("coffee")


def test_later_search_cancels_the_running_one(page: Page, serve: Serve) -> None:
    """The result of an abandoned search never replaces that of a later one."""
    released = threading.Event()
    blocked = RankingModel(FakeReranker(before_each=lambda text: wait_for(released)))
    url = serve(fake_service.components(models=FakeModels(blocked, blocked)))
    page.goto(url)
    cancelled: list[str] = []
    page.on("requestfailed", lambda request: cancelled.append(str(request.post_data)))
    page.get_by_role("searchbox").fill("coffee")
    with page.expect_request(lambda request: "coffee" in (request.post_data or "")):
        page.keyboard.press("Enter")
    page.get_by_role("searchbox").fill(QUERY)
    page.keyboard.press("Enter")
    released.set()
    expect(page.locator("#status")).to_contain_text("candidates scored")
    assert [json.loads(body)["query"] for body in cancelled if "rerank" not in json.loads(body)] == ["coffee"]
    assert keys(page, "reranked")[0] == "tea"


def test_why_shows_the_features_of_the_response(page: Page, serve: Serve) -> None:
    """The table has every feature with its value, weight and contribution."""
    url = serve()
    page.goto(f"{url}/?q={QUERY}")
    page.locator("#reranked .why summary").first.click()
    fusion = post_search(page, url, query=QUERY, min_score=0, explain=True)["hits"][0]["explain"]["fusion"]
    shown = page.locator("#reranked .features tbody tr").first.locator("td").all_inner_texts()
    part = fusion["parts"][0]
    assert [float(value) for value in shown] == [
        pytest.approx(part[key], abs=0.001) for key in ("value", "weight", "contribution")
    ]
    assert page.locator("#reranked .features tbody tr").count() == len(fusion["parts"]) + 1


def test_deciding_sentence_is_marked(page: Page, serve: Serve) -> None:
    """The sentence that the model scores highest is marked inside the passage."""
    text = "Coffee is bitter. Green tea is brewed from leaves. Milk is white."
    url = serve(fake_service.components(store=fake_service.store_with([Document("drinks", text)])))
    page.goto(f"{url}/?q={QUERY}")
    page.locator("#reranked .why summary").click()
    expect(page.locator("#reranked mark")).to_have_text("Green tea is brewed from leaves.")


def test_keys_reach_every_hit(page: Page, serve: Serve) -> None:
    """Arrows move among hits, Enter opens the reasons, Esc returns to the query, `/` selects it."""
    page.goto(f"{serve()}/?q={QUERY}")
    expect(page.locator("#rankings")).to_be_visible()
    page.get_by_role("searchbox").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#reranked .hit").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#reranked .why").first).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.locator("#copy-curl").focus()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_filters_offer_the_fields_of_the_index(page: Page, serve: Serve) -> None:
    """A condition on a string and one on a number restrict both lists, and the URL keeps them."""
    url = serve()
    page.goto(f"{url}/?q={QUERY}")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_role("button", name="Add filter").click()
    assert page.get_by_label("Field", exact=True).locator("option").all_inner_texts() == ["lang", "year"]
    page.get_by_label("Value", exact=True).fill("en")
    page.get_by_label("Value", exact=True).press("Tab")
    page.get_by_role("button", name="Add filter").click()
    page.get_by_label("Field", exact=True).nth(1).select_option("year")
    page.get_by_label("Condition").nth(1).select_option("minimum")
    page.get_by_label("Value", exact=True).nth(1).fill("2021")
    page.get_by_label("Value", exact=True).nth(1).press("Tab")
    expect(page.locator("#reranked > .hit")).to_have_count(1)
    assert (keys(page, "first-stage"), keys(page, "reranked")) == (["milk"], ["milk"])
    page.reload()
    expect(page.locator("#reranked > .hit")).to_have_count(1)


def test_titles_and_texts_are_never_markup(page: Page, serve: Serve) -> None:
    """A document's markup appears as text."""
    markup = "<img src=x onerror=alert(1)> tea"
    url = serve(
        fake_service.components(
            store=fake_service.store_with([Document("<b>", markup, markup, {"url": "javascript:1"})])
        )
    )
    page.goto(f"{url}/?q=tea")
    expect(page.locator("#reranked h3")).to_have_text(markup)
    page.locator("#reranked .why summary").click()
    assert page.locator("#rankings img, #rankings b, #rankings a").count() == 0


def test_italian_browser_gets_italian_and_the_choice_is_kept(page: Page, serve: Serve) -> None:
    """The language follows the browser until the reader chooses one."""
    context = page.context.browser
    assert context is not None
    italian = context.new_context(locale="it-IT").new_page()
    italian.goto(serve())
    expect(italian.get_by_role("button", name="Cerca", exact=True).last).to_be_visible()
    assert italian.locator("html").get_attribute("lang") == "it"
    italian.locator("#language").select_option("en")
    italian.reload()
    expect(italian.get_by_role("button", name="Compare settings")).to_be_visible()
    italian.context.close()


def test_store_without_index_shows_the_command_that_creates_one(page: Page, serve: Serve) -> None:
    """The empty state says what to do."""
    page.goto(serve(fake_service.components(store=InMemoryStore())))
    expect(page.locator("#status")).to_contain_text("rerank-cli ingest CORPUS --index NAME")


def test_service_with_keys_asks_for_one(page: Page, serve: Serve) -> None:
    """After a valid key the page works; the key is not in the URL."""
    url = serve(fake_service.components(settings=Settings(api_keys=("secret-key",))))
    page.goto(f"{url}/?q={QUERY}")
    page.get_by_label("API key").fill("secret-key")
    page.get_by_role("button", name="Use key").click()
    expect(page.locator("#rankings")).to_be_visible()
    assert "secret-key" not in page.url


def test_page_works_under_a_path_prefix(page: Page, serve: Serve) -> None:
    """All files and requests of the page have the prefix, and the copied command too."""
    url = serve(fake_service.components(settings=Settings(path_prefix="/rerank-service")))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{url}/rerank-service/?q={QUERY}")
    expect(page.locator("#rankings")).to_be_visible()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#copy-status")).to_have_text("Copied.")
    assert f"{url}/rerank-service/search" in page.evaluate("navigator.clipboard.readText()")


def test_overloaded_service_is_searched_again(page: Page, serve: Serve) -> None:
    """A 429 shows the delay of Retry-After; afterwards the search runs again without a click."""
    refused: list[str] = []

    def refuse_first_search(route: Route) -> None:
        if len(refused) >= 2:
            route.continue_()
            return
        refused.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "1"}, json={"message": "overloaded"})

    page.route("**/search", refuse_first_search)
    page.goto(f"{serve()}/?q={QUERY}")
    expect(page.locator("#status")).to_contain_text("The service has too many requests")
    expect(page.locator("#rankings")).to_be_visible()


def test_search_that_runs_out_of_time_says_so_and_offers_more(page: Page, serve: Serve) -> None:
    """The number of scored candidates appears, and a button searches with a longer limit."""
    slow = FakeReranker(before_each=lambda text: time.sleep(0.2))
    url = serve(fake_service.components(models=FakeModels(RankingModel(slow), RankingModel(slow))))
    page.goto(f"{url}/?q={QUERY}&timeout=1")
    expect(page.locator("#status")).to_contain_text("the time limit ended")
    expect(page.get_by_role("button", name="Search again with 5 ms")).to_be_visible()


def test_copied_commands_return_the_shown_order(page: Page, serve: Serve) -> None:
    """The curl command and the Python program run as they are."""
    url = serve()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{url}/?q=green tea's")
    shown = keys(page, "reranked")
    for button, program in (("Copy as curl", ["bash", "-c"]), ("Copy as Python", [sys.executable, "-c"])):
        page.get_by_role("button", name=button).click()
        expect(page.locator("#copy-status")).to_have_text("Copied.")
        copied = page.evaluate("navigator.clipboard.readText()")
        printed = subprocess.run([*program, copied], capture_output=True, text=True, check=True, timeout=60).stdout
        assert [hit["doc_id"] for hit in json.loads(printed)["hits"]] == shown
