"""Commands and tables of docs/proxy.md, checked against a real server and the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rerank.service.proxy.search.rerank_options import RerankExtension
from rerank.service.proxy.search.skip_reason import SkipReason
from tests.opensearch_server import free_port
from tests.service.proxy.proxied_service import send
from tests.service.proxy.scripted_server import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "proxy.md").read_text(encoding="utf-8")
CURLS = [re.sub(r"\n +", " ", block) for block in re.findall(r"^    (curl .*(?:\n {6}.*)*)", GUIDE, re.MULTILINE)]
EXPORTS = dict(re.findall(r"^    export (RERANK_\w+)='?([^'\n]+)'?$", GUIDE, re.MULTILINE))
SHADOW = "RERANK_PROXY_SHADOW"


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Runs `rerank-cli serve` with the built-in models, and yields its URL."""
    port = free_port()
    environ = {**os.environ, **environment, "RERANK_PORT": str(port), "PYTHONPATH": str(ROOT)}
    serve = [sys.executable, "-c", "from rerank.cli.main import main; main()", "serve"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(serve, cwd=folder, env=environ, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            # The first start converts the built-in models, which takes minutes on a busy machine.
            wait_until(lambda: _is_ready(url) or process.poll() is not None, seconds=240)
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _is_ready(url: str) -> bool:
    try:
        return send(url, "GET", "/ready").status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_commands_of_the_guide_run(opensearch_url: str, tmp_path: Path) -> None:
    """The serve command and every curl command succeed, and the last searches are reranked."""
    if shutil.which("curl") is None:
        pytest.skip("the guide's commands need curl")
    assert len(CURLS) == 4
    settings = {name: value for name, value in EXPORTS.items() if not name.startswith(SHADOW)}
    assert set(settings) == {"RERANK_STORE", "RERANK_PROXY_INDEXES"}
    with serving(tmp_path, {**settings, "RERANK_STORE": opensearch_url}) as url:
        outputs = []
        for line in CURLS:
            command = line.replace("http://localhost:8000", url).replace(
                "curl ", "curl --silent --show-error --fail ", 1
            )
            result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
            assert result.returncode == 0, f"{line}: {result.stderr}"
            outputs.append(result.stdout)
        example = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[0]
        reply = send(url, "POST", "/things/_search", json.loads(example))
    send(opensearch_url, "DELETE", "/things")
    assert "things" in outputs[1]
    # The index is in proxy_indexes, so the plain search is reranked too.
    for output in outputs[2:]:
        assert json.loads(output)["_rerank"]["applied"] is True
    assert reply.json()["hits"]["hits"][0]["_rerank"]["retrieval_rank"] == 1


def test_guide_lists_every_option_and_reason() -> None:
    """The guide names each key of ext.rerank and each reason why a search is not reranked."""
    missing = [key for key in RerankExtension.model_fields if f"`{key}`" not in GUIDE]
    missing += [str(reason) for reason in SkipReason if f"`{reason}`" not in GUIDE]
    assert missing == []
