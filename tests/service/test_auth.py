from __future__ import annotations

import pytest

from rerank.core.settings import Settings
from tests.service.fake_service import INDEX, client, components, error

KEYS = ("first-key", "chiave-è")
QUERY = {"index": INDEX, "query": "tea"}


def test_without_keys_everyone_may_ask() -> None:
    """No keys set: open."""
    assert client().post("/search", json=QUERY).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "first-key"},
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer  first-key "},
        {"X-API-Key": "first-key", "Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_a_known_key_opens(headers: dict[str, str]) -> None:
    """A key comes as X-API-Key, or as Authorization: Bearer."""
    asked = client(components(settings=Settings(api_keys=KEYS)))
    assert asked.post("/search", json=QUERY, headers=headers).status_code == 200


def test_a_key_may_have_any_letters() -> None:
    """A key that is not ASCII comes as the bytes that clients send for it."""
    asked = client(components(settings=Settings(api_keys=KEYS)))
    sent = KEYS[1].encode().decode("latin-1")
    assert asked.post("/search", json=QUERY, headers={"X-API-Key": sent}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "a key is needed: send it as X-API-Key, or as Authorization: Bearer"),
        (
            {"Authorization": "Basic dXNlcjpwYXNz"},
            "a key is needed: send it as X-API-Key, or as Authorization: Bearer",
        ),
        ({"X-API-Key": "first-ke"}, "the key is not one that this service knows"),
        ({"X-API-Key": ""}, "the key is not one that this service knows"),
        ({"Authorization": "Bearer "}, "the key is not one that this service knows"),
        ({"X-API-Key": "wrong", "Authorization": "Bearer first-key"}, "the key is not one that this service knows"),
    ],
)
def test_everything_else_stays_out(headers: dict[str, str], message: str) -> None:
    """401 in the one body, naming the scheme; the body is not read before."""
    asked = client(components(settings=Settings(api_keys=KEYS)))
    answer = asked.post("/search", data=b"not json", headers=headers)
    assert (answer.status_code, answer.get_json()) == (401, error(message, "Unauthorized"))
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="rerank"'


def test_only_what_is_no_secret_is_open() -> None:
    """Open: that the process lives, the pages, and the description. Everything else, unknown paths too, is not."""
    asked = client(components(settings=Settings(api_keys=KEYS)))
    paths = ("/health", "/", "/docs", "/openapi.json", "/static/page.js", "/static/page.css")
    assert {path: asked.get(path, buffered=True).status_code for path in paths} == dict.fromkeys(paths, 200)
    closed = ("/ready", "/metrics", "/indexes", "/models", "/info", "/search", "/nope")
    assert {path: asked.get(path).status_code for path in closed} == dict.fromkeys(closed, 401)
