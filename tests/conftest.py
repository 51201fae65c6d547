"""Options and fixtures of every test run."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator

import pytest

from rerank.core import redaction
from rerank.models.telemetry import disable_telemetry

# Telemetry must be off before a test module imports a library that sends it.
disable_telemetry()

pytest_plugins = [
    name for name in ("tests.opensearch_server", "tests.elasticsearch_server") if importlib.util.find_spec(name)
]


REQUIREMENTS = {
    "opensearch": "a real OpenSearch server",
    "elasticsearch": "a real Elasticsearch server",
    "clients": "clients from the package index",
    "browser": "Chromium",
}
"""Requirements by marker. Tests without their requirement are skipped; with --require-MARKER, they fail."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --require-opensearch and the like for every requirement, and the options of random attacks."""
    parser.addoption("--attack-rounds", type=int, default=3, help="Rounds of each random attack (default: 3).")
    parser.addoption("--attack-seed", type=int, default=1, help="Seed of the random attacks (default: 1).")
    for marker, requirement in REQUIREMENTS.items():
        parser.addoption(
            f"--require-{marker}",
            action="store_true",
            help=f"Fail if a test that needs {requirement} is skipped.",
        )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Raises UsageError if a requirement is set and no test has its marker."""
    for marker in REQUIREMENTS:
        if config.getoption(f"--require-{marker}") and not any(item.get_closest_marker(marker) for item in items):
            raise pytest.UsageError(f"--require-{marker}: no test with the marker {marker} was collected")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skip into a failure if --require-MARKER is set for a marker of the test."""
    report = yield
    for marker, requirement in REQUIREMENTS.items():
        required = item.config.getoption(f"--require-{marker}") and item.get_closest_marker(marker)
        if report.skipped and required and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"--require-{marker}: this test needs {requirement} and was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _temporary_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Sets a home folder for the test run, so that tests do not change the cache of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets the secrets that earlier tests registered: redacted() would mask them in the messages of this test."""
    monkeypatch.setattr(redaction, "_secrets", ())
