from __future__ import annotations

import re
from pathlib import Path

import pytest

import rerank.service
from rerank.service.dialects.all_dialects import BODIES, AnyRerankBody
from rerank.service.openapi import ROUTES
from rerank.service.page import CONTENT_SECURITY_POLICY
from tests.service.fake_service import client

STATIC = Path(next(iter(rerank.service.__path__))) / "static"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_elsewhere(path: str) -> None:
    """A closed network is enough: every address in a page is the service's own, and the browser is told so."""
    answer = client().get(path)
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    page = answer.get_data(as_text=True)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert addresses
    assert [address for address in addresses if not address.startswith("/")] == []
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_everything_that_a_page_names_is_there(path: str) -> None:
    """No address in a page leads nowhere."""
    asked = client()
    addresses = re.findall(r'(?:src|href)="([^"]*)"', asked.get(path).get_data(as_text=True))
    assert {address: asked.get(address, buffered=True).status_code for address in addresses} == dict.fromkeys(
        addresses, 200
    )


def test_the_documentation_shows_every_operation_and_key() -> None:
    """What /openapi.json describes can be read at /docs."""
    page = client().get("/docs").get_data(as_text=True)
    for route in ROUTES:
        assert f"<code>{route.method.upper()} {route.path}</code>" in page
        bodies = BODIES if route.body is AnyRerankBody else [route.body] if route.body else []
        for name, field in [item for body in bodies for item in body.model_fields.items()]:
            assert f"<code>{field.alias or name}</code>" in page


def test_the_script_never_makes_markup_of_text() -> None:
    """Titles and texts are a stranger's: they are set as text, never as HTML."""
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script) == []


def test_both_languages_say_everything() -> None:
    """Italian and English have the same texts, and the page names no other."""
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    italian, english = (
        set(re.findall(r"(?:^|[\s,{])(\w+): [\"`]", block))
        for block in re.findall(r"[?:] \{(.*?)\n    \}", script, re.S)
    )
    assert italian == english
    page = client().get("/").get_data(as_text=True)
    assert set(re.findall(r'data-(?:text|hint)="(\w+)"', page)) <= english
