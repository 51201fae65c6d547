"""docs/proxy.md is true: its commands run as they are written, in their order, against a real server."""

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

from rerank.service.proxy.search.asked import RerankPart
from rerank.service.proxy.search.reasons import Unranked
from tests.opensearch_server import free_port
from tests.service.proxy.scripted import until
from tests.service.proxy.standing import ask

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "proxy.md").read_text(encoding="utf-8")
CURLS = [re.sub(r"\n +", " ", block) for block in re.findall(r"^    (curl .*(?:\n {6}.*)*)", GUIDE, re.MULTILINE)]
EXPORTS = dict(re.findall(r"^    export (RERANK_\w+)='?([^'\n]+)'?$", GUIDE, re.MULTILINE))
SHADOW = "RERANK_PROXY_SHADOW"


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """`rerank-cli serve`, as the guide calls it, with the built-in models; the address it listens on."""
    port = free_port()
    environ = {**os.environ, **environment, "RERANK_PORT": str(port), "PYTHONPATH": str(ROOT)}
    serve = [sys.executable, "-c", "from rerank.cli.main import main; main()", "serve"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(serve, cwd=folder, env=environ, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _is_ready(url) or process.poll() is not None, seconds=120)
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _is_ready(url: str) -> bool:
    try:
        return ask(url, "GET", "/ready").status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_the_guides_commands_run(opensearch_url: str, tmp_path: Path) -> None:
    """serve with the settings that it names, and every curl after it; the last one comes back re-ranked."""
    if shutil.which("curl") is None:
        pytest.skip("the guide's commands need curl")
    assert len(CURLS) == 4
    settings = {name: value for name, value in EXPORTS.items() if name != SHADOW}
    assert set(settings) == {"RERANK_STORE", "RERANK_PROXY_INDEXES"}
    with serving(tmp_path, {**settings, "RERANK_STORE": opensearch_url}) as url:
        answers = []
        for line in CURLS:
            command = line.replace("http://localhost:8000", url).replace(
                "curl ", "curl --silent --show-error --fail ", 1
            )
            called = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
            assert called.returncode == 0, f"{line}: {called.stderr}"
            answers.append(called.stdout)
        example = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[0]
        asked = ask(url, "POST", "/things/_search", json.loads(example))
    ask(opensearch_url, "DELETE", "/things")
    assert "things" in answers[1]
    # The index is in proxy_indexes: the plain search is re-ranked too.
    for answer in answers[2:]:
        assert json.loads(answer)["_rerank"]["applied"] is True
    assert asked.json()["hits"]["hits"][0]["_rerank"]["retrieval_rank"] == 1


def test_every_key_and_reason_is_in_the_guide() -> None:
    """What may be asked under ext.rerank, and why a search is not re-ranked."""
    missing = [key for key in RerankPart.model_fields if f"`{key}`" not in GUIDE]
    missing += [str(reason) for reason in Unranked if f"`{reason}`" not in GUIDE]
    assert missing == []
