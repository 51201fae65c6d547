"""Rules for a path prefix in front of all routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from rerank.core.settings import Settings
from rerank.service.path_prefix import PathPrefix
from tests.service.fake_service import client, components

BODY = {"query": "tea", "documents": ["tea"]}


@pytest.mark.parametrize("path", ["/rerank-service/v1/rerank", "/v1/rerank", "/rerank-service/v1/rerank/"])
def test_routes_are_served_with_and_without_the_prefix(path: str) -> None:
    """A probe of the container needs no prefix."""
    service = client(components(settings=Settings(path_prefix="/rerank-service")))
    assert service.post(path, json=BODY).status_code == 200
    assert service.get("/rerank-service/health").status_code == 200
    assert service.get("/rerank-servicehealth").status_code == 404


@pytest.mark.parametrize(
    ("path", "raw", "seen"),
    [
        ("/a/b/_search", "/a/b/_search?q=x", ("/_search", "/_search?q=x")),
        ("/a/b/x y", "/a/b/x%20y", ("/x y", "/x%20y")),
        ("/a/b", "/a/b?pretty", ("/", "/?pretty")),
        ("/a/bc", "/a/bc", ("/a/bc", "/a/bc")),
        ("/a/b/c", "/%61/b/c", ("/a/b/c", "/%61/b/c")),
        ("/a/b/c", "/a//b/c", ("/a/b/c", "/a//b/c")),
    ],
)
def test_raw_target_and_path_change_together(path: str, raw: str, seen: tuple[str, str]) -> None:
    """The proxy forwards the raw target, which must not differ from the path that was matched."""
    calls: list[tuple[str, str]] = []

    def application(environ: WSGIEnvironment, _: StartResponse) -> Iterable[bytes]:
        calls.append((environ["PATH_INFO"], environ["RAW_URI"]))
        return []

    def start_response(*_: Any) -> Any:
        raise AssertionError

    PathPrefix(application, "/a/b")({"PATH_INFO": path, "RAW_URI": raw}, start_response)
    assert calls == [seen]


@pytest.mark.parametrize("prefix", ["rerank", "/", "/a/", "//a", "/a?b", "/a b"])
def test_invalid_prefix_is_refused(prefix: str) -> None:
    """A prefix starts with a slash and does not end with one."""
    with pytest.raises(ValueError, match="must start with / and must not end with /"):
        Settings(path_prefix=prefix)
