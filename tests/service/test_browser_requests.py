"""Requests of web pages to a service without API keys."""

from __future__ import annotations

import pytest

from rerank.core.settings import Settings
from tests.service.fake_service import client, components, error

SEARCH = {"index": "docs", "query": "tea"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("app.localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("rerank:8000", 200),
        ("search.example:8000", 200),
        ("SEARCH.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:8000", 403),
        ("search.example.evil.example", 403),
    ],
)
def test_unknown_host_name_is_refused(host: str, status: int) -> None:
    """The name of another site may resolve to this service's address (DNS rebinding)."""
    service = client(components(settings=Settings(allowed_hosts=("search.example",))))
    response = service.get("/health", headers={"Host": host})
    assert response.status_code == status
    if status == 403:
        message = (
            f"the header Host must be a name of this service, got {host}. "
            "Add the name to allowed_hosts, or set api_keys."
        )
        assert response.get_json() == error(message, "Forbidden")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost", 200),
        ("https://app.example", 200),
        ("http://localhost:3000", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_write_of_a_page_of_another_origin_is_refused(origin: str, status: int) -> None:
    """A form of another site needs no permission of the browser, so the service refuses it."""
    service = client(components(settings=Settings(cors_origins=("https://app.example",))))
    assert service.post("/search", json=SEARCH, headers={"Origin": origin}).status_code == status
    assert service.get("/health", headers={"Origin": origin}).status_code == 200


def test_api_keys_replace_the_checks() -> None:
    """A page of another site has no key, and a client with a key may use any name."""
    service = client(components(settings=Settings(api_keys=("key",))))
    headers = {"Host": "search.example", "Origin": "https://app.example", "X-API-Key": "key"}
    assert service.post("/search", json=SEARCH, headers=headers).status_code == 200
