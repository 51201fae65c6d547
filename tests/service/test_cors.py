"""Rules for requests of web pages from other origins."""

from __future__ import annotations

from rerank.core.settings import Settings
from tests.service.fake_service import client, components

PAGE = "https://app.example.com"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
BODY = {"query": "tea", "documents": ["tea"]}
KEY = {"X-API-Key": "key"}


def _allowed(*origins: str, keys: tuple[str, ...] = ()) -> Settings:
    return Settings(cors_origins=origins, api_keys=keys)


def test_allowed_origin_may_send_requests() -> None:
    """The preflight request needs no key; the request itself does. Its headers can be read by the page."""
    service = client(components(settings=_allowed(PAGE, keys=("key",))))
    preflight = service.options("/rerank", headers=PREFLIGHT)
    assert (preflight.status_code, preflight.data) == (204, b"")
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
    assert preflight.headers["Access-Control-Allow-Headers"] == "x-api-key"
    refused = service.post("/rerank", json=BODY, headers={"Origin": PAGE})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    response = service.post("/rerank", json=BODY, headers={"Origin": PAGE, **KEY})
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert "x-rerank-applied" in response.headers["Access-Control-Expose-Headers"]
    assert response.headers["Vary"] == "Origin"


def test_other_origin_gets_no_permission() -> None:
    """The browser then refuses the request of the page. Other clients are not affected."""
    service = client(components(settings=_allowed(PAGE)))
    preflight = service.options("/rerank", headers={**PREFLIGHT, "Origin": "https://evil.example.com"})
    assert (preflight.status_code, "Access-Control-Allow-Origin" in preflight.headers) == (405, False)
    response = service.post("/rerank", json=BODY)
    assert (response.status_code, "Access-Control-Allow-Origin" in response.headers) == (200, False)


def test_asterisk_allows_every_origin() -> None:
    """The response does not depend on the origin."""
    response = client(components(settings=_allowed("*"))).post("/rerank", json=BODY, headers={"Origin": PAGE})
    assert (response.headers["Access-Control-Allow-Origin"], "Vary" in response.headers) == ("*", False)


def test_unknown_path_has_no_preflight() -> None:
    """Only routes of the service answer preflight requests."""
    service = client(components(settings=_allowed("*")))
    assert service.options("/nothing", headers=PREFLIGHT).status_code == 404
    assert service.options("/rerank").status_code == 405


def test_without_origins_no_header_is_sent() -> None:
    """CORS is off by default."""
    service = client()
    assert service.options("/rerank", headers=PREFLIGHT).status_code == 405
    assert "Access-Control-Allow-Origin" not in service.get("/health", headers={"Origin": PAGE}).headers
