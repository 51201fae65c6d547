from __future__ import annotations

import re
from pathlib import Path

import pytest

from rerank.service.app import create_app
from rerank.service.proxy.own_routes import OwnRoutes
from tests.service.fake_service import components

PAGE = Path(__file__).resolve().parents[3] / "docs" / "proxy.md"


@pytest.fixture(scope="module")
def own_routes() -> OwnRoutes:
    """Returns the routes of the service with two models."""
    return OwnRoutes.from_app(create_app(components()), models=lambda: ("default", "a/b"))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/search", True),
        ("POST", "/search", True),
        ("HEAD", "/search", False),
        ("GET", "/search/", False),
        ("GET", "//search", False),
        ("POST", "/v1/rerank/", True),
        ("POST", "/v1/rerank//", False),
        ("GET", "/v1/rerank/", False),
        ("GET", "/%73earch", False),
        ("GET", "/Search", False),
        ("GET", "/static/page.css", True),
        ("GET", "/static/../page.css", False),
        ("GET", "/static/page/main.js", True),
        ("GET", "/static/page/", False),
        ("GET", "/static/page/../page.css", False),
        ("GET", "/static/other", False),
        ("GET", "/docs/_search", False),
        ("OPTIONS", "/rerank", False),
        ("POST", "/_inference/rerank/default", True),
        ("PUT", "/_inference/rerank/default", False),
        ("POST", "/_inference/rerank/", False),
        ("POST", "/_inference/completion/x", False),
        ("POST", "/_plugins/_ml/_predict/text_similarity/default", True),
        ("POST", "/_plugins/_ml/_predict/text_similarity/a%2Fb", True),
        ("POST", "/_plugins/_ml/_predict/text_similarity/other", False),
    ],
)
def test_paths_match_exactly(own_routes: OwnRoutes, method: str, path: str, expected: bool) -> None:
    """Paths are compared without decoding, merging or resolving."""
    assert own_routes.matches(method, path, "*/*") is expected


def test_preflight_requests_belong_to_the_service_on_its_own_paths() -> None:
    """With the setting cors_origins, browsers ask before they call a route of the service."""
    own_routes = OwnRoutes.from_app(create_app(components()), preflight=True)
    paths = ("/rerank", "/v1/rerank/", "/_inference/rerank/default", "/", "/docs/_search")
    assert [own_routes.matches("OPTIONS", path, "*/*") for path in paths] == [True, True, True, False, False]


def test_root_belongs_to_the_server_except_for_browsers(own_routes: OwnRoutes) -> None:
    """Clients of OpenSearch request its version with GET /."""
    assert not own_routes.matches("GET", "/", "application/json")
    assert not own_routes.matches("GET", "/", "*/*")
    assert own_routes.matches("GET", "/", "text/html,application/xhtml+xml")


def test_docs_list_all_own_routes(own_routes: OwnRoutes) -> None:
    """docs/proxy.md lists every method and path that the proxy does not forward, without their trailing slashes."""
    rows = re.findall(r"^\| `([A-Z]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {(method, path) for method, paths in rows for path in re.findall(r"`(/[^` ]*)`", paths)}
    exact = {(method, path) for method, path in own_routes.exact if path == "/" or not path.endswith("/")}
    assert listed == exact | {(method, f"{prefix}…") for method, prefix in own_routes.prefixes}
