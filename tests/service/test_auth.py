from __future__ import annotations

import pytest

from rerank.core.settings import Settings
from tests.service.fake_service import INDEX, client, components, error

KEYS = ("first-key", "chiave-è")
QUERY = {"index": INDEX, "query": "tea"}


def test_service_without_keys_accepts_every_request() -> None:
    """Without configured keys, no key is required."""
    assert client().post("/search", json=QUERY).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "first-key"},
        {"api-key": "first-key"},
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer  first-key "},
        {"X-API-Key": "first-key", "Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_valid_key_is_accepted(headers: dict[str, str]) -> None:
    """A key is sent as X-API-Key, as api-key (Azure), or as Authorization: Bearer."""
    service = client(components(settings=Settings(api_keys=KEYS)))
    assert service.post("/search", json=QUERY, headers=headers).status_code == 200


def test_non_ascii_key_is_accepted() -> None:
    """A key that is not ASCII arrives as its UTF-8 bytes."""
    service = client(components(settings=Settings(api_keys=KEYS)))
    sent = KEYS[1].encode().decode("latin-1")
    assert service.post("/search", json=QUERY, headers={"X-API-Key": sent}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "an API key is required. Send it in X-API-Key or api-key, or as Authorization: Bearer"),
        (
            {"Authorization": "Basic dXNlcjpwYXNz"},
            "an API key is required. Send it in X-API-Key or api-key, or as Authorization: Bearer",
        ),
        ({"X-API-Key": "first-ke"}, "invalid API key"),
        ({"X-API-Key": ""}, "invalid API key"),
        ({"Authorization": "Bearer "}, "invalid API key"),
        ({"X-API-Key": "wrong", "Authorization": "Bearer first-key"}, "invalid API key"),
    ],
)
def test_missing_or_invalid_key_returns_401(headers: dict[str, str], message: str) -> None:
    """The response names the scheme, and the body of the request is not parsed."""
    service = client(components(settings=Settings(api_keys=KEYS)))
    response = service.post("/search", data=b"not json", headers=headers)
    assert (response.status_code, response.get_json()) == (401, error(message, "Unauthorized"))
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="rerank"'


def test_only_public_endpoints_need_no_key() -> None:
    """Liveness, the pages and the OpenAPI document are public. All other paths, also unknown ones, need a key."""
    service = client(components(settings=Settings(api_keys=KEYS)))
    paths = ("/health", "/v1/cluster/auth", "/", "/docs", "/openapi.json", "/static/page/main.js", "/static/page.css")
    assert {path: service.get(path, buffered=True).status_code for path in paths} == dict.fromkeys(paths, 200)
    protected = ("/ready", "/metrics", "/indexes", "/models", "/info", "/search", "/nope")
    assert {path: service.get(path).status_code for path in protected} == dict.fromkeys(protected, 401)
