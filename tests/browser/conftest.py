"""Chromium, and services that it can open."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from rerank.service.components import Components
from tests.service import fake_service

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 30_000

Serve = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that uses the browser, directly or through another fixture."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            item.add_marker("slow")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Yields a Chromium. It ends with this package, because Playwright's event loop blocks other ones."""
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        pytest.skip("no Chromium: install Debian's package chromium")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Yields an empty page with English as language. A script error of the page fails the test."""
    errors: list[str] = []
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    created = context.new_page()
    created.set_default_timeout(TIMEOUT_MS)
    created.on("pageerror", lambda error: errors.append(str(error)))
    yield created
    context.close()
    assert errors == []


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Yields a function that serves components (by default, fakes with three documents) and returns their URL."""
    with ExitStack() as stack:
        yield lambda components=None: stack.enter_context(_served(components or fake_service.components()))


@contextmanager
def _served(components: Components) -> Iterator[str]:
    from rerank.service.app import create_app

    server = make_server("127.0.0.1", 0, create_app(components), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
