from __future__ import annotations

import re
from pathlib import Path

import pytest

from rerank.service.app import create_app
from rerank.service.proxy.shadowed import Shadowed
from tests.service.fake_service import components

PAGE = Path(__file__).resolve().parents[3] / "docs" / "proxy.md"


@pytest.fixture(scope="module")
def shadowed() -> Shadowed:
    return Shadowed.of(create_app(components()), models=["default", "a/b"])


@pytest.mark.parametrize(
    ("method", "path", "ours"),
    [
        ("GET", "/search", True),
        ("POST", "/search", True),
        ("HEAD", "/search", False),
        ("GET", "/search/", False),
        ("GET", "//search", False),
        ("GET", "/%73earch", False),
        ("GET", "/Search", False),
        ("GET", "/static/page.css", True),
        ("GET", "/static/../page.css", False),
        ("GET", "/static/other", False),
        ("GET", "/docs/_search", False),
        ("OPTIONS", "/rerank", False),
        ("POST", "/_inference/rerank/default", True),
        ("PUT", "/_inference/rerank/default", False),
        ("POST", "/_inference/rerank/", False),
        ("POST", "/_inference/completion/x", False),
        ("POST", "/_plugins/_ml/_predict/text_similarity/default", True),
        ("POST", "/_plugins/_ml/_predict/text_similarity/a%2Fb", True),
        ("POST", "/_plugins/_ml/_predict/text_similarity/theirs", False),
    ],
)
def test_ours_is_what_is_written_so(shadowed: Shadowed, method: str, path: str, ours: bool) -> None:
    """A path is compared as it was sent: nothing is decoded, merged or resolved."""
    assert shadowed(method, path, "*/*") is ours


def test_the_root_is_the_servers_unless_a_browser_asks(shadowed: Shadowed) -> None:
    """OpenSearch's clients ask for the version there."""
    assert not shadowed("GET", "/", "application/json")
    assert not shadowed("GET", "/", "*/*")
    assert shadowed("GET", "/", "text/html,application/xhtml+xml")


def test_what_is_shadowed_is_in_the_docs(shadowed: Shadowed) -> None:
    """docs/proxy.md lists every method and path that does not reach OpenSearch."""
    rows = re.findall(r"^\| `([A-Z]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {(method, path) for method, paths in rows for path in re.findall(r"`(/[^` ]*)`", paths)}
    assert listed == shadowed.exact | {(method, f"{prefix}…") for method, prefix in shadowed.prefixes}
