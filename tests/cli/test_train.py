"""`rerank-cli train` as a user calls it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rerank.models.training.options import EncoderOptions
from rerank.models.training.recipes.encoder import train_encoder
from tests.cli.runner import ROOT, CommandLine
from tests.models import tiny
from tests.models.training import training_data

pytestmark = pytest.mark.slow


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A folder with judgments, and an index of their corpus with a tiny encoder."""
    training_data.beir(tmp_path / "set")
    tiny.bert(tmp_path / "encoder")
    return CommandLine(tmp_path, {"RERANK_ENCODER": "encoder", "OMP_NUM_THREADS": "1"})


SHORT = ("--max-steps", "4", "--batch-size", "4", "--evaluate-every", "2", "--max-tokens", "32", "--json")


def test_negatives_are_mined_from_a_live_index_and_can_be_read_again(cli: CommandLine) -> None:
    """A reranker and an encoder learn from the file; the search that the reranker then makes teaches a smaller one."""
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
    ("flags", "said"),
    [
        (("pairs", "--negatives-file", "x.jsonl"), "need --negatives INDEX"),
        (("distill", "--teacher", "a", "--teacher-index", "b"), "two teachers"),
    ],
)
def test_flags_that_contradict_each_other_are_misuse(cli: CommandLine, flags: Sequence[str], said: str) -> None:
    """Told before anything is read."""
    called = cli("train", *flags, "--data", "set", "--output", "model")
    assert (called.code, said in called.err) == (2, True), called.err


def test_an_encoder_learns_the_vectors_of_the_teacher_that_is_named(cli: CommandLine) -> None:
    """--teacher is the encoder whose vectors are put, not the base, and nothing of mining negatives."""
    pairs = [{"en": f"what is a {word}", "it": f"what is the {word} ."} for word in tiny.WORDS]
    (cli.folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    tiny.bert(cli.folder / "teacher", hidden_act="relu")
    called = cli(
        *("train", "encoder", "--data", "pairs.jsonl", "--base", "encoder", "--teacher", "teacher"),
        *(*SHORT, "--output", "taught"),
    )
    assert called.code == 0, called.err
    assert called.json["before"]["source_cosine"] < 0.999


def test_ctrl_c_prints_the_command_to_go_on(cli: CommandLine) -> None:
    """Exit 130; the checkpoint is there, and the printed command is the one that was typed."""
    words = ["train", "pairs", "--data", "set", "--base", "encoder", "--output", "my model", "--max-steps", "2000"]
    words += ["--batch-size", "4", "--evaluate-every", "1000"]
    running = subprocess.Popen(
        [sys.executable, "-c", "from rerank.cli.main import main; main()", *words],
        cwd=cli.folder,
        env={**os.environ, **cli.environment, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    # The first line of progress says that steps are being made.
    assert "steps" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert f"to go on: {shlex.join(['rerank-cli', *words])}" in err
    assert list((cli.folder / "my model" / "checkpoints").glob("checkpoint-*"))
