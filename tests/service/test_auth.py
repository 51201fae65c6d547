from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from rerank.core.errors import InvalidRequest, SettingError
from rerank.core.settings import Settings
from rerank.core.settings_loading import load_settings
from rerank.service.auth import Keys
from tests.service.fake_service import INDEX, client, components, error

KEYS = ("first-key", "second-key=")
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


def test_second_key_is_accepted() -> None:
    """Every configured key is valid."""
    service = client(components(settings=Settings(api_keys=KEYS)))
    assert service.post("/search", json=QUERY, headers={"X-API-Key": KEYS[1]}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        ("x-api-key", "first-key"),
        ("api-key", " first-key "),
        ("authorization", "Bearer first-key"),
        ("authorization", "BEARER\tfirst-key"),
        ("authorization", "ApiKey first-key"),
        ("authorization", "Basic " + base64.b64encode(b"user:second-key=").decode()),
        ("x-api-key", "other,first-key"),
        ("cookie", "a=b; key=first-key"),
        ("x-custom", "second-key="),
        ("x-custom", "[first-key]"),
    ],
)
def test_header_with_a_key_is_not_forwarded(header: tuple[str, str]) -> None:
    """The proxy removes every header that contains a key of the service, regardless of its name and spelling."""
    others = [("authorization", "Basic dXNlcjpwYXNz"), ("x-api-key", "of-opensearch"), ("accept", "*/*")]
    assert Keys(KEYS).without_keys([*others, header]) == others


def test_short_key_drops_only_headers_with_that_word() -> None:
    """A key of one letter is part of most headers."""
    headers = [("accept", "application/json"), ("cookie", "a=b"), ("x-custom", "ab")]
    assert Keys(("a",)).without_keys(headers) == [headers[0], headers[2]]


@pytest.mark.parametrize("target", ["/docs/_search?key=first-key", "/docs/_search?q=%66irst-key", "/first-key"])
def test_url_with_a_key_is_refused(target: str) -> None:
    """The key would reach OpenSearch and its logs."""
    with pytest.raises(InvalidRequest, match="must not contain an API key"):
        Keys(KEYS).check_target(target)


@pytest.mark.parametrize("key", ["", " ", " a", "a ", "a b", "è", "a\n", "\x00", "a\u200b", "\x7f"])
def test_key_that_a_header_cannot_carry_is_refused(key: str) -> None:
    """A blank key would open the service to a blank header. The message shows no key."""
    with pytest.raises(ValidationError, match="printable ASCII characters without spaces only: key 2 does not"):
        Settings(api_keys=("first-key", key))


@pytest.mark.parametrize("keys", [" ", ",", " , ", "\t"])
def test_blank_list_of_keys_is_refused(keys: str) -> None:
    """The service would be open, although the setting is present. An empty text means no keys."""
    with pytest.raises(SettingError, match="api_keys"):
        load_settings({}, environ={"RERANK_API_KEYS": keys}, directory=Path("/nonexistent"))
    assert load_settings({}, environ={"RERANK_API_KEYS": ""}, directory=Path("/nonexistent")).settings.api_keys == ()


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
