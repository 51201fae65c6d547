"""Converted models in a folder."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtimes.openvino.cache import ConvertedModels
from rerank.models.runtimes.openvino.converted import MANIFEST_FILE, ConvertedModel
from rerank.models.runtimes.openvino.graphs import build
from rerank.models.runtimes.openvino.matrix_products import FloatProducts
from rerank.models.runtimes.openvino.runtime import openvino_runtime
from tests.models import tiny

QUERY, TEXTS = "what is a cat", ["the cat is warm", "green tea", "it is a dog ."]


@pytest.fixture
def model(tmp_path: Path) -> ModelFolder:
    """A reranker."""
    return ModelFolder.read(tiny.bert(tmp_path / "model", labels=1))


def scores(model: ModelFolder, cache: Path) -> NDArray[np.float32]:
    """What the int8 model says, converted or read."""
    return CrossEncoderReranker.from_folder(model, runtime=openvino_runtime("int8", cache)).score(QUERY, TEXTS).logits


def conversions(caplog: pytest.LogCaptureFixture) -> int:
    """How many conversions were logged."""
    return sum(record.getMessage().startswith("converting ") for record in caplog.records)


def converted(model: ModelFolder, cache: Path) -> Path:
    """The folder of the int8 model."""
    return ConvertedModels(cache).path(model, "int8")


def test_a_model_is_converted_once(model: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The second start reads what the first one made, and says the same."""
    caplog.set_level(logging.INFO, logger="models")
    first = scores(model, tmp_path / "cache")
    again = scores(model, tmp_path / "cache")
    assert again.tolist() == first.tolist()
    assert conversions(caplog) == 1


def test_another_content_is_another_model(model: ModelFolder, tmp_path: Path) -> None:
    """The place depends on what decides the model's answers, not on its name."""
    before = converted(model, tmp_path)
    tiny.write_json(model.path / "rerank.json", {"prompts": {"query": "what "}})
    assert converted(ModelFolder.read(model.path), tmp_path) != before


@pytest.mark.parametrize("file", [MANIFEST_FILE, "body.xml", "body.bin", "head.safetensors"])
@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
def test_broken_model_is_converted_again(model: ModelFolder, tmp_path: Path, file: str, harm: str) -> None:
    """The cache detects damage to any file, converts again, and the scores are correct."""
    models = ConvertedModels(tmp_path)
    whole = build(model, FloatProducts())
    models.get(model, "float", lambda: whole)
    broken = models.path(model, "float") / file
    content = broken.read_bytes()
    broken.write_bytes(content[:-7] if harm == "cut" else content[:40] + b"!" + content[41:])
    if harm == "gone":
        broken.unlink()
    made: list[ConvertedModel] = []

    def again() -> ConvertedModel:
        made.append(whole)
        return whole

    assert not models.contains(model, "float")
    models.get(model, "float", again)
    assert len(made) == 1
    assert models.contains(model, "float")
    assert sorted(place.name for place in models.path(model, "float").parent.iterdir()) == sorted(
        [models.path(model, "float").name, f"{models.path(model, 'float').name}.lock"]
    )


def killed_in_mid_conversion(path: Path, cache: Path) -> None:
    """A process that ends without a word while it writes."""

    class Killed(ConvertedModel):
        def save(self, folder: Path) -> None:
            (folder / "body.bin").write_bytes(b"half")
            signal.raise_signal(signal.SIGKILL)

    ConvertedModels(cache).get(ModelFolder.read(path), "int8", lambda: Killed({}))


def test_a_conversion_that_was_killed_is_done_again(model: ModelFolder, tmp_path: Path) -> None:
    """Half of a model is never taken for one, and no lock is left behind."""
    process = multiprocessing.get_context("spawn").Process(
        target=killed_in_mid_conversion, args=(model.path, tmp_path / "cache")
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not converted(model, tmp_path / "cache").exists()
    assert scores(model, tmp_path / "cache").shape == (3,)
    assert ConvertedModels(tmp_path / "cache").contains(model, "int8")


def score_in_a_process(path: Path, cache: Path, answers: multiprocessing.SimpleQueue[list[float]]) -> None:
    """Load the model, and say what it scores."""
    answers.put(scores(ModelFolder.read(path), cache).tolist())


def test_two_processes_convert_at_once_without_harm(model: ModelFolder, tmp_path: Path) -> None:
    """One of them does the work, and both say the same."""
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    arguments = (model.path, tmp_path / "cache", answers)
    processes = [context.Process(target=score_in_a_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert answers.get() == answers.get() == scores(model, tmp_path / "cache").tolist()


def test_a_folder_that_cannot_be_written_costs_a_conversion_at_each_start(
    model: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and the model serves."""
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert scores(model, tmp_path / "cache").shape == (3,)
    assert "the next start will convert again" in caplog.text


def test_a_model_goes_on_when_its_folders_are_removed(model: ModelFolder, tmp_path: Path) -> None:
    """Nothing of a loaded model is read from disk again: neither its own folder nor what was converted."""
    scores(model, tmp_path / "cache")
    loaded = CrossEncoderReranker.from_folder(model, runtime=openvino_runtime("int8", tmp_path / "cache"))
    expected = loaded.score(QUERY, TEXTS).logits.tolist()
    shutil.rmtree(model.path)
    shutil.rmtree(tmp_path / "cache")
    assert loaded.score(QUERY, TEXTS).logits.tolist() == expected
    assert loaded.score("green tea", TEXTS).scored.all()
