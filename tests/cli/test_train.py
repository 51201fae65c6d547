"""Tests of `rerank-cli train`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from rerank.models.training.options import EncoderOptions
from rerank.models.training.recipes.encoder import train_encoder
from tests.cli.runner import PROGRAM, ROOT, CommandLine
from tests.models import tiny
from tests.models.training import training_data

pytestmark = pytest.mark.slow


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """Returns a command line in a folder with judgments and a tiny encoder."""
    training_data.beir(tmp_path / "set")
    tiny.bert(tmp_path / "encoder")
    fixed = {"RERANK_RUNTIME": "torch", "RERANK_PRECISION": "float32", "OMP_NUM_THREADS": "1"}
    return CommandLine(tmp_path, {"RERANK_ENCODER": "encoder", **fixed})


SHORT = (
    "--max-steps",
    "4",
    "--batch-size",
    "4",
    "--evaluate-every",
    "2",
    "--max-tokens",
    "32",
    "--threads",
    "1",
    "--json",
)


def test_mined_negatives_and_search_scores_are_training_data(cli: CommandLine) -> None:
    """A reranker and an encoder train on mined negatives. A smaller reranker then trains on the scores of searches."""
    assert cli("ingest", "set/corpus.jsonl", "--index", "docs").code == 0
    mine = ("--data", "set", "--negatives", "docs", "--negatives-file", "mined.jsonl", "--base", "encoder", *SHORT)
    trained = cli("train", "pairs", *mine, "--output", "mined")
    assert trained.code == 0, trained.err
    rows = [json.loads(line) for line in (cli.folder / "mined.jsonl").read_text().splitlines()]
    assert len(rows) > 20
    assert all(row["positive"] not in row["negatives"] for row in rows)
    again = train_encoder(
        EncoderOptions(
            data=(cli.folder / "mined.jsonl",),
            output=cli.folder / "tuned",
            base=cli.folder / "encoder",
            max_steps=2,
            batch_size=4,
        )
    )
    assert again.steps == 2
    distilled = cli(
        *("train", "distill", "--data", "set", "--teacher-index", "docs", "--reranker", "mined", "--depth", "10"),
        *("--base", "encoder", "--layers", "1", *SHORT, "--output", "fast"),
    )
    assert distilled.code == 0, distilled.err
    assert set(distilled.json["metrics"]) == {"spearman", "first"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("pairs", "--negatives-file", "x.jsonl"), "need --negatives INDEX"),
        (
            ("distill", "--teacher", "a", "--teacher-index", "b"),
            "Choose one teacher",
        ),
    ],
)
def test_contradicting_options_are_refused(cli: CommandLine, options: Sequence[str], message: str) -> None:
    result = cli("train", *options, "--data", "set", "--output", "model")
    assert (result.code, message in result.err) == (2, True), result.err


def test_encoder_learns_the_vectors_of_its_teacher(cli: CommandLine) -> None:
    """With translations, --teacher names an encoder other than the base."""
    pairs = [{"en": f"what is a {word}", "it": f"what is the {word} ."} for word in tiny.WORDS]
    (cli.folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    tiny.bert(cli.folder / "teacher", hidden_act="relu")
    result = cli(
        *("train", "encoder", "--data", "pairs.jsonl", "--base", "encoder", "--teacher", "teacher"),
        *(*SHORT, "--output", "taught"),
    )
    assert result.code == 0, result.err
    assert result.json["before"]["source_cosine"] < 0.999


def test_ctrl_c_saves_a_checkpoint_and_prints_the_command_to_resume(cli: CommandLine) -> None:
    """The exit code is 130, and the message repeats the interrupted command."""
    words = ["train", "pairs", "--data", "set", "--base", "encoder", "--output", "my model", "--max-steps", "2000"]
    words += ["--batch-size", "4", "--evaluate-every", "1000"]
    running = subprocess.Popen(
        [*PROGRAM, *words],
        cwd=cli.folder,
        env={**os.environ, **cli.environment, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    # The first line of progress shows that training has begun.
    assert "steps" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert f"To resume, run: {shlex.join(['rerank-cli', *words])}" in err
    assert list((cli.folder / "my model" / "checkpoints").glob("checkpoint-*"))
