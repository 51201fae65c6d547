"""Options that every test run has."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.opensearch_server"] if importlib.util.find_spec("tests.opensearch_server") else []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --require-opensearch."""
    parser.addoption(
        "--require-opensearch",
        action="store_true",
        help="a skipped test of the real OpenSearch is a failure (for continuous integration)",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a run that must meet OpenSearch and has no test that does."""
    if config.getoption("--require-opensearch") and not any(item.get_closest_marker("opensearch") for item in items):
        raise pytest.UsageError("--require-opensearch: no test with the marker opensearch was collected")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where OpenSearch was required."""
    report = yield
    required = item.config.getoption("--require-opensearch") and item.get_closest_marker("opensearch")
    if report.skipped and required and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"OpenSearch is required, and this test was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """What tests convert and find out is kept for their run alone, not in the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield
