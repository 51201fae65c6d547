"""The public Python interface: its names, its cost of import, and the examples of docs/python.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rerank

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
HEAVY = ("flask", "lancedb", "numpy", "openvino", "torch", "transformers")


def run(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs *program* in *folder* and returns the finished process."""
    # The home directory of the test run caches the converted models.
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": os.environ["HOME"]}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", rerank.__all__)
def test_public_name_is_importable_and_documented(name: str) -> None:
    """Each name in __all__ exists and appears in docs/python.md."""
    assert getattr(rerank, name) is not None
    assert name in GUIDE


def test_unknown_name_raises_attribute_error() -> None:
    """A typo raises the same error as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'load_rerankers'"):
        _ = rerank.load_rerankers


def test_import_loads_no_heavy_library(tmp_path: Path) -> None:
    """Libraries are imported on first use."""
    program = f"import rerank, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(program, tmp_path).stdout.strip() == "[]"


@pytest.mark.slow
def test_examples_of_the_guide_run(tmp_path: Path) -> None:
    """All examples run in order, with the corpus of the first steps."""
    steps = (ROOT / "docs" / "first-steps.md").read_text(encoding="utf-8")
    (tmp_path / "corpus.jsonl").write_text(steps.split("```json\n")[1].split("```")[0], encoding="utf-8")
    program = "from rerank.cli.main import main; main()"
    ingested = run(program, tmp_path, "ingest", "corpus.jsonl", "--index", "towers")
    assert ingested.returncode == 0, ingested.stderr
    examples = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    done = run("\n".join(examples), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("1 ")
    assert lines[0].endswith(" pisa")
    assert "La torre fu costruita dal 1173." in lines
    assert lines[-1].startswith("NotFound No index")
