"""End-to-end tests of `train pairs` with tiny models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from rerank.core.errors import ModelInvalid, ModelNotFound, TrainingDataError, TrainingFailed
from rerank.models.compute_options import REPRODUCIBLE_COMPUTE
from rerank.models.loading import load_ranking_model
from rerank.models.training.options import Loss, PairsOptions
from rerank.models.training.recipes.pairs import train_pairs
from rerank.models.training.run_folder import CHECKPOINTS
from tests.models import tiny
from tests.models.training import training_data

pytestmark = pytest.mark.slow

QUERY, PASSAGES = "what is tea", ["tea is green", "the dog in the cold"]


@pytest.mark.parametrize("loss", ["pairwise", "pointwise"])
def test_pairwise_and_pointwise_losses_improve_ndcg(options: PairsOptions, loss: Loss) -> None:
    """nDCG@10 rises well above that of the untrained model."""
    longer = replace(options, loss=loss, max_steps=60, evaluate_every=30, teacher_weight=0.0)
    report = train_pairs(longer)
    assert report.metrics["ndcg@10"] > report.before["ndcg@10"] + 0.05


@pytest.fixture
def options(tmp_path: Path) -> PairsOptions:
    """Options of a short run of a joint reranker."""
    return PairsOptions(
        data=(training_data.pairs(tmp_path / "pairs.jsonl"),),
        output=tmp_path / "model",
        base=tiny.bert(tmp_path / "base"),
        max_steps=9,
        batch_size=4,
        evaluate_every=3,
        learning_rate=1e-3,
        max_tokens=32,
        threads=1,  # sums in another order, as with more threads, change weights by up to a whole step of Adam
    )


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def assert_same_weights(first_folder: Path, second_folder: Path) -> None:
    """Asserts equal weights up to rounding."""
    first, second = weights(first_folder), weights(second_folder)
    assert first.keys() == second.keys()
    assert all(torch.allclose(first[name], second[name], rtol=1e-4, atol=1e-5) for name in first)


def stops(at: int) -> Callable[[int, int, float], None]:
    """Returns a progress callback that ends the run at step *at*, like a power cut."""

    def report(step: int, _steps: int, _loss: float) -> None:
        if step >= at:
            raise SystemExit(at)

    return report


def test_finished_run_leaves_a_loadable_model_folder(options: PairsOptions) -> None:
    """The folder has weights, tokenizer, rerank.json, card, metrics and plot, and no checkpoints."""
    report = train_pairs(options)
    assert sorted(path.name for path in options.output.iterdir()) == [
        "README.md",
        "config.json",
        "metrics.json",
        "model.safetensors",
        "rerank.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.png",
    ]
    assert (report.model, report.steps, set(report.metrics)) == (options.output, 9, {"ndcg@10", "mrr"})
    metadata = json.loads((options.output / "rerank.json").read_text())
    assert (metadata["kind"], metadata["architecture"], metadata["trained_on"]) == (
        "reranker",
        "joint",
        ["pairs.jsonl"],
    )
    assert json.loads((options.output / "metrics.json").read_text())["report"] == report.to_json()
    assert np.isfinite(load_ranking_model(str(options.output)).reranker.score(QUERY, PASSAGES).logits).all()


def test_training_improves_held_out_ndcg(options: PairsOptions, tmp_path: Path) -> None:
    """On learnable data, nDCG@10 of sixty held-out queries rises well above that of the untrained model."""
    report = train_pairs(
        replace(
            options,
            data=(training_data.pairs(tmp_path / "more.jsonl", queries=200),),
            development=0.3,
            max_steps=160,
            batch_size=16,
            evaluate_every=40,
            learning_rate=3e-3,
            teacher_weight=0.0,
        )
    )
    assert report.metrics["ndcg@10"] > report.before["ndcg@10"] + 0.1


def test_equal_seeds_give_equal_weights(options: PairsOptions, tmp_path: Path) -> None:
    """Another seed gives other weights."""
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        train_pairs(replace(options, output=tmp_path / name, seed=seed))
    assert_same_weights(tmp_path / "one", tmp_path / "two")
    assert any(
        bool((value != weights(tmp_path / "three")[name]).any()) for name, value in weights(tmp_path / "one").items()
    )


def test_interrupted_run_resumes_to_the_same_weights(options: PairsOptions, tmp_path: Path) -> None:
    """The same call ends with the weights of an uninterrupted run."""
    train_pairs(options)
    interrupted = replace(options, output=tmp_path / "interrupted")
    with pytest.raises(SystemExit):
        train_pairs(replace(interrupted, on_progress=stops(at=6)))
    steps: list[int] = []
    train_pairs(replace(interrupted, on_progress=lambda step, _steps, _loss: steps.append(step)))
    assert steps == [6, 9]
    assert_same_weights(options.output, interrupted.output)


def test_killed_process_resumes_to_the_same_weights(options: PairsOptions, tmp_path: Path) -> None:
    """SIGKILL during a run leaves a checkpoint to resume from."""
    train_pairs(options)
    killed = replace(options, output=tmp_path / "killed")
    program = f"""
import os, signal
from pathlib import Path, PosixPath
from rerank.models.training.options import PairsOptions
from rerank.models.training.recipes.pairs import train_pairs
from dataclasses import replace
def report(step, steps, loss):
    if step >= 6:
        os.kill(os.getpid(), signal.SIGKILL)
train_pairs(replace({killed!r}, on_progress=report))
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[4], check=False, timeout=200)
    assert ended.returncode == -signal.SIGKILL
    train_pairs(killed)
    assert_same_weights(options.output, killed.output)


def test_ctrl_c_writes_a_checkpoint_after_the_step(options: PairsOptions, tmp_path: Path) -> None:
    """KeyboardInterrupt is raised after the checkpoint; the next call resumes from it."""
    train_pairs(options)

    def interrupt(step: int, _steps: int, _loss: float) -> None:
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    stopped = replace(options, output=tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        train_pairs(replace(stopped, on_progress=interrupt))
    assert [path.name for path in (stopped.output / CHECKPOINTS).glob("checkpoint-*")] != []
    train_pairs(stopped)
    assert_same_weights(options.output, stopped.output)


def test_finished_run_returns_its_report_again(options: PairsOptions) -> None:
    """A second call does not train."""
    first = train_pairs(options)
    before = (options.output / "model.safetensors").stat().st_mtime_ns
    again = train_pairs(options)
    assert again.to_json() == first.to_json()
    assert (options.output / "model.safetensors").stat().st_mtime_ns == before


def test_folder_of_another_run_is_refused(options: PairsOptions, tmp_path: Path) -> None:
    """Neither a finished model nor checkpoints with other settings are overwritten."""
    train_pairs(options)
    with pytest.raises(TrainingFailed, match=r"the model of another run with different seed"):
        train_pairs(replace(options, seed=7))
    interrupted = replace(options, output=tmp_path / "interrupted")
    with pytest.raises(SystemExit):
        train_pairs(replace(interrupted, on_progress=stops(at=6)))
    with pytest.raises(TrainingFailed, match=r"checkpoints of another run with different learning_rate"):
        train_pairs(replace(interrupted, learning_rate=1.0))


def test_folder_without_checkpoints_is_reused(options: PairsOptions) -> None:
    """A run that ended before its first checkpoint does not block other settings."""
    with pytest.raises(SystemExit):
        train_pairs(replace(options, on_progress=stops(at=3)))
    assert train_pairs(replace(options, learning_rate=1e-4)).steps == 9


def test_nan_loss_stops_the_run(options: PairsOptions) -> None:
    """The message names the step and the last good checkpoint, which exists."""
    with pytest.raises(
        TrainingFailed, match=r"must be finite, got nan at step \d+\. The last good checkpoint is"
    ) as raised:
        train_pairs(replace(options, learning_rate=1e18, warmup=0.0, evaluate_every=1))
    assert str(options.output / CHECKPOINTS / "checkpoint-") in raised.value.message
    assert list((options.output / CHECKPOINTS).glob("checkpoint-*"))


def test_full_disk_stops_the_run(options: PairsOptions, tmp_path: Path) -> None:
    """Earlier checkpoints remain, and the next call ends with the same weights."""
    train_pairs(options)
    full = replace(options, output=tmp_path / "full")
    program = f"""
import resource, signal
from pathlib import Path, PosixPath
from rerank.core.errors import TrainingFailed
from rerank.models.training.options import PairsOptions
from rerank.models.training.recipes.pairs import train_pairs
from dataclasses import replace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def report(step, steps, loss):
    if step >= 6:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    train_pairs(replace({full!r}, on_progress=report))
except TrainingFailed as exc:
    print(exc.message)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[4],
        check=True,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "cannot write or read a checkpoint" in ended.stdout
    assert "run the same command again to resume" in ended.stdout
    train_pairs(full)
    assert_same_weights(options.output, full.output)


def test_joint_and_cross_encoder_bases_keep_their_architecture(options: PairsOptions, tmp_path: Path) -> None:
    """sentence-transformers loads the cross-encoder and returns the same scores."""
    from sentence_transformers import CrossEncoder

    train_pairs(options)
    joint = train_pairs(replace(options, base=options.output, output=tmp_path / "joint"))
    assert json.loads((joint.model / "rerank.json").read_text())["architecture"] == "joint"
    for name, make in (("bert", tiny.bert), ("roberta", tiny.roberta)):
        base = make(tmp_path / f"{name}-base", labels=1)
        cross = train_pairs(replace(options, base=base, output=tmp_path / name))
        assert json.loads((cross.model / "rerank.json").read_text())["architecture"] == "cross-encoder"
        reranker = load_ranking_model(str(cross.model), compute=REPRODUCIBLE_COMPUTE).reranker
        served = reranker.score(QUERY, PASSAGES).logits
        theirs = CrossEncoder(str(cross.model)).predict([(QUERY, passage) for passage in PASSAGES])
        np.testing.assert_allclose(1 / (1 + np.exp(-served)), theirs, atol=0.02)


def test_beir_folder_is_accepted(options: PairsOptions, tmp_path: Path) -> None:
    """Its qrels have relevant documents only; negatives are drawn from the corpus."""
    report = train_pairs(replace(options, data=(training_data.beir(tmp_path / "set"),)))
    assert report.steps == 9


def test_unsuitable_bases_are_refused(options: PairsOptions, tmp_path: Path) -> None:
    """A head of several labels, an unsupported network and an unknown name raise before training."""
    with pytest.raises(ModelInvalid, match="a head of 3 labels"):
        train_pairs(replace(options, base=tiny.bert(tmp_path / "classifier", labels=3)))
    with pytest.raises(ModelInvalid, match="the base of a joint reranker must be a BERT, got distilbert"):
        train_pairs(replace(options, base=tiny.distilbert(tmp_path / "distil")))
    with pytest.raises(ModelNotFound):
        train_pairs(replace(options, base="no-such-model"))


def test_fewer_lists_than_a_batch_are_refused(options: PairsOptions) -> None:
    """The message names the fix."""
    with pytest.raises(TrainingDataError, match=r"fewer than a batch of 64\. Lower --batch-size"):
        train_pairs(replace(options, batch_size=64))


def test_unwritable_output_is_refused_before_training(options: PairsOptions, tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(TrainingFailed, match="cannot write to the folder"):
        train_pairs(replace(options, output=tmp_path / "file" / "model"))
    # Unlike a read-only folder, this one refuses root as well.
    with pytest.raises(TrainingFailed, match="cannot write to the folder"):
        train_pairs(replace(options, output=Path("/proc/model")))
