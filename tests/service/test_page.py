from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

import rerank.service
from rerank.service.page import CONTENT_SECURITY_POLICY
from tests.service.fake_service import client

STATIC = Path(next(iter(rerank.service.__path__))) / "static"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_loads_nothing_from_other_hosts(path: str) -> None:
    """The pages work in a closed network and under a path prefix.

    Every URL is relative, and the Content-Security-Policy forbids other hosts.
    """
    response = client().get(path)
    assert response.content_type == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    page = response.get_data(as_text=True)
    urls = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert urls
    assert [url for url in urls if ":" in url or url.startswith("/")] == []
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_every_url_of_a_page_exists(path: str) -> None:
    """A page has no broken link."""
    service = client()
    urls = re.findall(r'(?:src|href)="([^"]*)"', service.get(path).get_data(as_text=True))
    status_codes = {url: service.get(urljoin(path, url), buffered=True).status_code for url in urls}
    assert status_codes == dict.fromkeys(urls, 200)


def test_docs_list_every_operation_and_key_of_the_openapi_document() -> None:
    """/docs shows what /openapi.json describes."""
    service = client()
    document = service.get("/openapi.json").get_json()
    page = service.get("/docs").get_data(as_text=True)
    for path, operations in document["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in page
    schemas = document["components"]["schemas"]
    not_requests = ("ErrorBody", "AnyRerankBody")
    bodies = [schemas[name] for name in schemas if name.endswith("Body") and name not in not_requests]
    keys = {key for schema in bodies for key in schema["properties"]}
    assert [key for key in sorted(keys) if not re.search(rf"<code>(?:[\w.]+\.)?{key}</code>", page)] == []


def scripts() -> dict[str, str]:
    """Returns the content of each script of the page by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in (STATIC / "page").glob("*.js")}


def test_scripts_never_create_markup_from_text() -> None:
    """Titles and texts are untrusted: the scripts insert them as text, never as HTML."""
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function")
    assert {name for name, script in scripts().items() if forbidden.search(script)} == set()


def test_every_imported_script_exists() -> None:
    """A module imports only files of its own folder."""
    imported = {name for script in scripts().values() for name in re.findall(r'from "([^"]+)"', script)}
    assert imported <= {f"./{name}.js" for name in scripts()}


def test_both_languages_have_the_same_texts_and_the_page_uses_no_other() -> None:
    """English and Italian have the same keys with the same placeholders, and every key is used."""
    english, italian = (
        dict(re.findall(r'^  (\w+):\s+"(.*)",$', scripts()[language], re.M)) for language in ("english", "italian")
    )
    assert list(english) == list(italian)
    placeholders = [
        {key: set(re.findall(r"\{\w+\}", text)) for key, text in texts.items()} for texts in (english, italian)
    ]
    assert placeholders[0] == placeholders[1]
    code = "".join(script for name, script in scripts().items() if name not in ("english", "italian"))
    page = client().get("/").get_data(as_text=True)
    assert set(re.findall(r'data-(?:text|hint)="(\w+)"', page)) | set(re.findall(r'\btext\("(\w+)"', code)) <= set(
        english
    )
    assert {key for key in english if f'"{key}"' not in code + page} == set()
