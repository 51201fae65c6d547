"""Distributed training with processes started by torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from rerank.models.loading import load_encoder
from tests.models import tiny
from tests.models.training import training_data

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    """Each trains on its own batches, both have the same weights, and one writes and prints."""
    data, base = training_data.translations(tmp_path / "translations.jsonl"), tiny.bert(tmp_path / "base")
    arguments = ["train", "encoder", "--data", str(data), "--base", str(base), "--output", str(tmp_path / "model")]
    arguments += ["--max-steps", "6", "--batch-size", "4", "--evaluate-every", "3", "--learning-rate", "3e-3", "--json"]
    program = tmp_path / "call.py"
    program.write_text("from rerank.cli.main import main; main()", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(program), *arguments],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["steps"], report["metrics"]["cosine"] > report["before"]["cosine"]) == (6, True)
    assert json.loads((tmp_path / "model" / "metrics.json").read_text())["report"] == report
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "model"))
    assert all(bool((after[name] != before[name]).any()) for name in after if "layer.1" in name)
    assert load_encoder(str(tmp_path / "model")).dim == 32
