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
    "ModelOverloaded": 429,
    "TrainingFailed": 500,
}


def _tree(kind: type[RerankError]) -> Iterator[type[RerankError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def _ours() -> list[type[RerankError]]:
    return [kind for kind in dict.fromkeys(_tree(RerankError)) if kind.__module__ == errors.__name__]


def test_every_error_has_a_status() -> None:
    """The whole tree of errors is mapped, each to the status that the interface gives it."""
    assert {kind.__name__: status_of(kind("x")) for kind in _ours()} == EXPECTED


@pytest.mark.parametrize("kind", _ours(), ids=lambda kind: kind.__name__)
def test_every_error_has_the_one_body(kind: type[RerankError]) -> None:
    """error, message and detail are the same sentence, whatever went wrong."""
    app = Flask("failing")
    register(app)

    @app.get("/")
    def fail() -> str:
        raise kind("what, where, and the way out")

    answer = app.test_client().get("/")
    assert answer.status_code == EXPECTED[kind.__name__]
    assert answer.get_json() == error("what, where, and the way out", kind.error_type)
    assert ("Retry-After" in answer.headers) == (answer.status_code in (429, 503))


def test_what_nobody_foresaw_is_told_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception shows no internals to the client; the log has its traceback."""
    app = Flask("failing")
    register(app)

    @app.get("/")
    def fail() -> str:
        raise ZeroDivisionError("secret internals")

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.get_json()) == (
        500,
        error("the service failed unexpectedly; its log says where", "Internal"),
    )
    assert "ZeroDivisionError: secret internals" in caplog.text


def test_a_refusal_keeps_its_headers() -> None:
    """HTTP's own refusals have the one body, and the headers that go with their status."""
    app = Flask("failing")
    register(app)

    @app.get("/")
    def fail() -> str:
        raise HttpError(401, "a key is needed", headers={"WWW-Authenticate": "Bearer"})

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.get_json()) == (401, error("a key is needed", "Unauthorized"))
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/nope", "/search/", "/docs/_search", "/a//b", "/%00"])
def test_an_unknown_path_is_ours_too(path: str) -> None:
    """404 in the one body, and where to look."""
    answer = client().get(path)
    assert answer.status_code == 404
    assert answer.get_json()["error_type"] == "NotFound"
    assert answer.get_json()["message"].endswith("GET /openapi.json lists what there is")


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
def test_another_verb_is_refused_with_those_there_are(method: str, path: str, allowed: set[str]) -> None:
    """405 in the one body; Allow names the verbs. OPTIONS is no exception: other origins are not let in."""
    answer = client().open(path, method=method)
    message = f"{path} does not take {method}; GET /openapi.json lists what it takes"
    assert (answer.status_code, answer.get_json()) == (405, error(message, "MethodNotAllowed"))
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert not [name for name in answer.headers.keys() if name.lower().startswith("access-control")]  # noqa: SIM118
