from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rerank.core.errors import SettingError
from rerank.core.settings_loading import load_settings

OF_A_SERVICE = {
    "RERANK_SERVICE_HOST": "10.0.0.1",
    "RERANK_SERVICE_PORT": "8000",
    "RERANK_SERVICE_PORT_HTTP": "8000",
    "RERANK_PORT": "tcp://10.0.0.1:8000",
    "RERANK_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "RERANK_PORT_8000_TCP_PROTO": "tcp",
    "RERANK_PORT_8000_TCP_PORT": "8000",
    "RERANK_PORT_8000_TCP_ADDR": "10.0.0.1",
    "RERANK_STORE_PORT": "tcp://10.0.0.2:9200",
    "RERANK_STORE_SERVICE_HOST": "10.0.0.2",
    "RERANK_STORE_PORT_9200_TCP_ADDR": "10.0.0.2",
}
"""Variables of services named `rerank` and `rerank-store`."""


def test_variables_of_kubernetes_are_ignored_with_one_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Variables that Kubernetes sets for a service named rerank are ignored. Other variables are settings."""
    with caplog.at_level(logging.INFO):
        loaded = load_settings({}, environ={**OF_A_SERVICE, "RERANK_K": "7"}, directory=tmp_path)
    assert (loaded.settings.port, loaded.settings.k, loaded.origins["port"]) == (8000, 7, "default")
    names = ", ".join(sorted(OF_A_SERVICE))
    assert caplog.messages == [f"ignored variables that Kubernetes sets for a service: {names}"]


@pytest.mark.parametrize(
    ("name", "value"), [("RERANK_PORT", "http://x"), ("RERANK_PORT", "tcp"), ("RERANK_SERVICE", "x")]
)
def test_similar_variables_are_still_checked(name: str, value: str, tmp_path: Path) -> None:
    """Only the forms that Kubernetes writes are ignored."""
    with pytest.raises(SettingError):
        load_settings({}, environ={name: value}, directory=tmp_path)
