"""Options that every test run has."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator

import pytest

from rerank.models.telemetry import disable_telemetry

# Before a test module imports a library that sends telemetry.
disable_telemetry()

pytest_plugins = ["tests.opensearch_server"] if importlib.util.find_spec("tests.opensearch_server") else []


REQUIRED = {"opensearch": "the real OpenSearch", "clients": "clients from the package index"}
"""Markers of tests that need something that a machine may lack, and what it is: --require-MARKER insists on it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --require-opensearch and --require-clients."""
    for marker, what in REQUIRED.items():
        parser.addoption(
            f"--require-{marker}",
            action="store_true",
            help=f"a skipped test of {what} is a failure (for continuous integration)",
        )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a run that must meet something and has no test that does."""
    for marker in REQUIRED:
        if config.getoption(f"--require-{marker}") and not any(item.get_closest_marker(marker) for item in items):
            raise pytest.UsageError(f"--require-{marker}: no test with the marker {marker} was collected")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where what it lacked was required."""
    report = yield
    for marker, what in REQUIRED.items():
        required = item.config.getoption(f"--require-{marker}") and item.get_closest_marker(marker)
        if report.skipped and required and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"{what} required, and this test was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Sets a home folder for the test run, so that tests do not change the cache of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield
