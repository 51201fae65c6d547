"""Rules for reloading models, model names and API keys without a restart."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rerank.core.errors import ModelInvalid, SettingError
from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.service.app import create_app
from rerank.service.components import Components
from rerank.service.reloading import Commit, ReloadablePart, Reloader
from tests.fakes import FakeModels, FakeReranker
from tests.service.controlled_process import TIMEOUT_SECONDS
from tests.service.fake_service import components, error
from tests.service.service_process import ServiceProcess, run_service

BODY = {"query": "green tea", "documents": ["coffee", "green tea"]}
KEYED = Settings(api_keys=("old",))


class NamedModels:
    """The part of a reloader that names its reranker after the setting `reranker`."""

    def __init__(self, of: Components) -> None:
        self._components = of

    def prepare(self, settings: Settings) -> Commit:
        if settings.reranker == "broken":
            raise ModelInvalid("/models/broken/config.json is not valid JSON")
        models = FakeModels(RankingModel(FakeReranker(name=settings.reranker)))
        return lambda: self._components.rerankers.replace(models)


def reloading_components(*later: Settings) -> Components:
    """Returns components whose settings are those of KEYED, then each of *later*."""
    versions: Iterator[Settings] = iter(later)
    reloader = Reloader(KEYED, lambda: next(versions))
    result = replace(components(settings=KEYED), reloader=reloader)
    reloader.add(ReloadablePart("models", frozenset({"reranker"}), NamedModels(result).prepare))
    return result


def test_reload_applies_models_and_keys() -> None:
    """The response names the reloaded parts, and the changed settings that need a restart."""
    of = reloading_components(Settings(api_keys=("new",), reranker="second", depth=50))
    service = create_app(of).test_client()
    old, new = {"X-API-Key": "old"}, {"X-API-Key": "new"}
    assert service.post("/rerank", json=BODY, headers=new).status_code == 401

    response = service.post("/admin/reload", headers=old)

    assert (response.status_code, response.get_json()) == (
        200,
        {"reloaded": ["models", "api_keys"], "restart_required": ["depth"]},
    )
    assert service.post("/rerank", json=BODY, headers=old).status_code == 401
    assert service.post("/rerank", json=BODY, headers=new).get_json()["model"] == "second"


def test_failed_reload_changes_nothing() -> None:
    """A key is not replaced if a model cannot be loaded. The response has the reason, without this machine's paths."""
    of = reloading_components(Settings(api_keys=("new",), reranker="broken"), Settings(reranker="second"))
    service = create_app(of).test_client()
    old = {"X-API-Key": "old"}

    failed = service.post("/admin/reload", headers=old)
    assert (failed.status_code, failed.get_json()) == (503, error("broken/config.json is not valid JSON", "Backend"))
    assert service.post("/rerank", json=BODY, headers=old).get_json()["model"] == "fake-reranker"

    with pytest.raises(SettingError, match="api_keys must not become empty"):
        of.reloader.reload()
    assert service.post("/rerank", json=BODY, headers=old).status_code == 200


def test_reload_request_needs_a_configured_key() -> None:
    """Without keys, everybody could reload; the message names the signal."""
    response = create_app(components()).test_client().post("/admin/reload")
    message = "POST /admin/reload requires an API key, but api_keys is empty. Set api_keys, or send SIGHUP"
    assert (response.status_code, response.get_json()) == (403, error(message, "Forbidden"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_reloads_every_worker_without_dropping_a_request(tmp_path: Path, workers: int) -> None:
    """A request in progress finishes, and the same workers continue."""
    with run_service(tmp_path, workers=workers, module="tests.service.reloading_process") as service:
        service.wait_until_ready()
        before = _workers(service)
        (tmp_path / "rerank.toml").write_text('reranker = "second"\n')
        os.kill(service.process.pid, signal.SIGHUP)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (models := {_model(service) for _ in range(20)}) != {"second"}:
            assert models <= {"default", "second"}
            assert time.monotonic() < deadline
        assert _workers(service) == before


def _model(service: ServiceProcess) -> str:
    status, response = service.request("POST", "/rerank", BODY)
    assert status == 200
    return str(response["model"])


def _workers(service: ServiceProcess) -> set[str]:
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    return set(children.read_text().split())
