from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from rerank.core import errors
from rerank.core.errors import RerankError
from rerank.service.errors import HttpError, register, status_of
from tests.service.fake_service import client, error

EXPECTED = {
    "RerankError": 500,
    "InvalidInput": 400,
    "InvalidRequest": 400,
    "EmptyRequest": 400,
    "InvalidFilter": 400,
    "InvalidIndexName": 400,
    "SettingError": 500,
    "CorpusError": 400,
    "MetadataError": 400,
    "TrainingDataError": 400,
    "NotFound": 404,
    "IndexNotFound": 404,
    "ModelNotFound": 404,
    "RequestCancelled": 499,
    "IndexConflict": 409,
    "EncoderMismatch": 409,
    "StoreError": 502,
    "StoreUnavailable": 503,
    "StoreTimeout": 504,
    "StoreFull": 507,
    "StoreAnswerInvalid": 502,
    "ModelError": 500,
    "ModelInvalid": 503,
    "ModelUnavailable": 503,
    "ModelOutputInvalid": 500,
    "ModelTimeout": 500,
    "ModelOverloaded": 429,
    "TrainingFailed": 500,
}


def _tree(kind: type[RerankError]) -> Iterator[type[RerankError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def _error_classes() -> list[type[RerankError]]:
    return [kind for kind in dict.fromkeys(_tree(RerankError)) if kind.__module__ == errors.__name__]


def test_every_error_has_a_status() -> None:
    """Every error class maps to the status that the interface documents."""
    assert {kind.__name__: status_of(kind("x")) for kind in _error_classes()} == EXPECTED


@pytest.mark.parametrize("kind", _error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_has_the_shared_body(kind: type[RerankError]) -> None:
    """error, message and detail hold the same sentence for every error."""
    app = Flask("failing")
    register(app)

    @app.get("/")
    def fail() -> str:
        raise kind("the store is full. Delete an index")

    response = app.test_client().get("/")
    assert response.status_code == EXPECTED[kind.__name__]
    assert response.get_json() == error("the store is full. Delete an index", kind.error_type)
    assert ("Retry-After" in response.headers) == (response.status_code in (429, 503))


def test_unexpected_error_is_logged_without_details_for_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """The response has no internals; the log has the traceback."""
    app = Flask("failing")
    register(app)

    @app.get("/")
    def fail() -> str:
        raise ZeroDivisionError("secret internals")

    response = app.test_client().get("/")
    assert (response.status_code, response.get_json()) == (
        500,
        error("unexpected error. See the service log", "Internal"),
    )
    assert "ZeroDivisionError: secret internals" in caplog.text


def test_http_error_keeps_its_headers() -> None:
    """An HttpError has the shared body and the headers that belong to its status."""
    app = Flask("failing")
    register(app)

    @app.get("/")
    def fail() -> str:
        raise HttpError(401, "a key is required", headers={"WWW-Authenticate": "Bearer"})

    response = app.test_client().get("/")
    assert (response.status_code, response.get_json()) == (401, error("a key is required", "Unauthorized"))
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/nope", "/search/", "/docs/_search", "/a//b", "/%00"])
def test_unknown_path_returns_404_in_the_shared_body(path: str) -> None:
    """The message points to the list of paths."""
    response = client().get(path)
    assert response.status_code == 404
    assert response.get_json()["error_type"] == "NotFound"
    assert response.get_json()["message"].endswith("GET /openapi.json lists all paths")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/search", {"GET", "HEAD", "POST"}),
        ("OPTIONS", "/search", {"GET", "HEAD", "POST"}),
        ("GET", "/documents", {"POST", "DELETE"}),
        ("GET", "/rerank", {"POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
    ],
)
def test_unsupported_method_returns_405_with_the_allowed_methods(method: str, path: str, allowed: set[str]) -> None:
    """OPTIONS is no exception: the service allows no cross-origin requests."""
    response = client().open(path, method=method)
    message = f"{path} does not support {method}. GET /openapi.json lists all methods"
    assert (response.status_code, response.get_json()) == (405, error(message, "MethodNotAllowed"))
    assert set(response.headers["Allow"].split(", ")) == allowed
    assert not [name for name in response.headers.keys() if name.lower().startswith("access-control")]  # noqa: SIM118
