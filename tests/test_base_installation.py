"""The base installation: everything but training, without torch and transformers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCKED = ("accelerate", "datasets", "matplotlib", "sentence_transformers", "torch", "transformers")
BLOCKER = f"""
import sys
from importlib.machinery import PathFinder

found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *others: None if name.partition(".")[0] in {BLOCKED!r} else found(name, *others)

"""
"""As in an environment that lacks them: neither an import nor a search finds them."""
CORPUS = [
    {"_id": "1", "title": "Tower", "text": "The leaning tower of Pisa was built from 1173 to 1372."},
    {"_id": "2", "title": "Tè", "text": "Il tè verde si beve caldo o freddo."},
    {"_id": "3", "title": "Ports", "text": "To list open ports, call ss with the options -tuln."},
]


def without_torch(place: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run *script* in a process that has none of the blocked libraries."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + script, *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def rerank_cli(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line there."""
    return without_torch(place, "from rerank.cli.main import main; main()", *arguments)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and judgments, the corpus ingested."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "qrels").mkdir()
    lines = [json.dumps(record, ensure_ascii=False) for record in CORPUS]
    (folder / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "when was the tower built"}))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    done = rerank_cli(folder, "ingest", "corpus.jsonl", "--index", "docs", "--json")
    assert done.returncode == 0, done.stderr
    return folder


def test_search_and_rerank(place: Path) -> None:
    """The built-in models rank."""
    done = rerank_cli(place, "search", "how do I list open ports", "--index", "docs", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["hits"][0]["doc_id"], answer["rerank"]["applied"]) == ("3", True)


def test_evaluate(place: Path) -> None:
    """Judgments are measured."""
    done = rerank_cli(place, "evaluate", ".", "--index", "docs", "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [["models", "list"], ["models", "convert"], ["doctor"], ["train", "--help"]])
def test_the_other_commands(place: Path, command: list[str]) -> None:
    """Models are listed and converted, the installation is checked, and help is there."""
    done = rerank_cli(place, *command)
    assert done.returncode == 0, done.stderr


def test_training_says_what_to_install(place: Path) -> None:
    """One line that names the extra, and no traceback."""
    done = rerank_cli(place, "train", "sts", "--data", ".", "--output", "made")
    assert done.returncode == 1
    assert "pip install 'rerank-service[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve(place: Path) -> None:
    """The service loads, is ready and answers."""
    script = """
from rerank.core.settings import Settings
from rerank.service.app import create_app
from rerank.service.components import build
components = build(Settings(store="rerank-data"))
components.load()
app = create_app(components)
client = app.test_client()
assert client.get("/ready").status_code == 200, components.missing()
answer = client.post("/search", json={"index": "docs", "query": "tower"}).get_json()
assert answer["rerank"]["applied"] and len(answer["hits"]) == 3, answer
assert not {"torch", "transformers"} & sys.modules.keys()
"""
    done = without_torch(place, script)
    assert done.returncode == 0, done.stderr
