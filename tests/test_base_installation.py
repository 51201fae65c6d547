"""Tests of the base installation, which has no training, no torch and no transformers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
BLOCKED = ("accelerate", "datasets", "matplotlib", "sentence_transformers", "torch", "transformers")
BLOCKER = f"""
import sys
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *others: (
    None if name.partition(".")[0] in {BLOCKED!r} else find_spec(name, *others)
)

"""
"""Code that hides the blocked packages from imports and from find_spec, as if they were not installed."""
CORPUS = [
    {"_id": "1", "title": "Tower", "text": "The leaning tower of Pisa was built from 1173 to 1372."},
    {"_id": "2", "title": "Tè", "text": "Il tè verde si beve caldo o freddo."},
    {"_id": "3", "title": "Ports", "text": "To list open ports, call ss with the options -tuln."},
]


def without_torch(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs *script* in a process without the blocked packages."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + script, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def rerank_cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs rerank-cli in a process without the blocked packages."""
    return without_torch(folder, "from rerank.cli.main import main; main()", *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with an ingested corpus and judgments."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "qrels").mkdir()
    lines = [json.dumps(record, ensure_ascii=False) for record in CORPUS]
    (folder / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "when was the tower built"}))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    done = rerank_cli(folder, "ingest", "corpus.jsonl", "--index", "docs", "--json")
    assert done.returncode == 0, done.stderr
    return folder


def test_search_is_reranked(folder: Path) -> None:
    """The built-in models run without torch."""
    done = rerank_cli(folder, "search", "how do I list open ports", "--index", "docs", "--json")
    assert done.returncode == 0, done.stderr
    response = json.loads(done.stdout)
    assert (response["hits"][0]["doc_id"], response["rerank"]["applied"]) == ("3", True)


def test_evaluation_succeeds(folder: Path) -> None:
    """ir-measures is part of the base installation."""
    done = rerank_cli(folder, "evaluate", ".", "--index", "docs", "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [["models", "list"], ["models", "convert"], ["doctor"], ["train", "--help"]])
def test_command_without_training_succeeds(folder: Path, command: list[str]) -> None:
    """Commands that train no model need no extra."""
    done = rerank_cli(folder, *command)
    assert done.returncode == 0, done.stderr


def test_training_names_the_extra_to_install(folder: Path) -> None:
    """The error has the pip command and no traceback."""
    done = rerank_cli(folder, "train", "sts", "--data", ".", "--output", "made")
    assert done.returncode == 1
    assert "pip install 'rerank-service[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_service_loads_and_reranks(folder: Path) -> None:
    """The process of the service imports neither torch nor transformers."""
    script = """
from rerank.core.settings import Settings
from rerank.service.app import create_app
from rerank.service.components import build
components = build(Settings(store="rerank-data"))
components.load()
app = create_app(components)
client = app.test_client()
assert client.get("/ready").status_code == 200, components.missing()
response = client.post("/search", json={"index": "docs", "query": "tower"}).get_json()
assert response["rerank"]["applied"] and len(response["hits"]) == 3, response
assert not {"torch", "transformers"} & sys.modules.keys()
"""
    done = without_torch(folder, script)
    assert done.returncode == 0, done.stderr
