"""Rules for the cache of converted models."""

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
    """Returns a reranker."""
    return ModelFolder.read(tiny.bert(tmp_path / "model", labels=1))


def scores(model: ModelFolder, cache: Path) -> NDArray[np.float32]:
    """Returns the logits of the int8 model, which is converted or read from the cache."""
    return CrossEncoderReranker.from_folder(model, runtime=openvino_runtime("int8", cache)).score(QUERY, TEXTS).logits


def logged_conversions(caplog: pytest.LogCaptureFixture) -> int:
    """Returns the number of logged conversions."""
    return sum(record.getMessage().startswith("converting ") for record in caplog.records)


def converted(model: ModelFolder, cache: Path) -> Path:
    """Returns the folder of the int8 model."""
    return ConvertedModels(cache).path(model, "int8")


def test_second_load_uses_the_cached_conversion(
    model: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The second load converts nothing and returns the same scores."""
    caplog.set_level(logging.INFO, logger="rerank.models")
    first = scores(model, tmp_path / "cache")
    again = scores(model, tmp_path / "cache")
    assert again.tolist() == first.tolist()
    assert logged_conversions(caplog) == 1


def test_changed_model_has_another_path(model: ModelFolder, tmp_path: Path) -> None:
    """The path depends on the content that determines the outputs, not on the name."""
    before = converted(model, tmp_path)
    tiny.write_json(model.path / "rerank.json", {"prompts": {"query": "what "}})
    assert converted(ModelFolder.read(model.path), tmp_path) != before


@pytest.mark.parametrize("file", [MANIFEST_FILE, "body.xml", "body.bin", "head.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed"])
def test_broken_model_is_converted_again(model: ModelFolder, tmp_path: Path, file: str, damage: str) -> None:
    """The cache detects damage to any file, converts again, and the scores are correct."""
    models = ConvertedModels(tmp_path)
    complete = build(model, FloatProducts())
    models.get(model, "float", lambda: complete)
    broken = models.path(model, "float") / file
    content = broken.read_bytes()
    broken.write_bytes(content[:-7] if damage == "truncated" else content[:40] + b"!" + content[41:])
    if damage == "missing":
        broken.unlink()
    conversions: list[ConvertedModel] = []

    def convert() -> ConvertedModel:
        conversions.append(complete)
        return complete

    assert not models.contains(model, "float")
    models.get(model, "float", convert)
    assert len(conversions) == 1
    assert models.contains(model, "float")
    assert sorted(path.name for path in models.path(model, "float").parent.iterdir()) == sorted(
        [models.path(model, "float").name, f"{models.path(model, 'float').name}.lock"]
    )


def convert_until_killed(path: Path, cache: Path) -> None:
    """Converts a model in a process that is killed while it writes."""

    class Killed(ConvertedModel):
        def save(self, folder: Path) -> None:
            (folder / "body.bin").write_bytes(b"half")
            signal.raise_signal(signal.SIGKILL)

    ConvertedModels(cache).get(ModelFolder.read(path), "int8", lambda: Killed({}))


@pytest.mark.slow
def test_killed_conversion_is_repeated(model: ModelFolder, tmp_path: Path) -> None:
    """A partial conversion is not used, and no lock remains."""
    process = multiprocessing.get_context("spawn").Process(
        target=convert_until_killed, args=(model.path, tmp_path / "cache")
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not converted(model, tmp_path / "cache").exists()
    assert scores(model, tmp_path / "cache").shape == (3,)
    assert ConvertedModels(tmp_path / "cache").contains(model, "int8")


def score_in_a_process(path: Path, cache: Path, results: multiprocessing.SimpleQueue[list[float]]) -> None:
    """Loads the model and puts its logits into *results*."""
    results.put(scores(ModelFolder.read(path), cache).tolist())


@pytest.mark.slow
def test_concurrent_processes_return_equal_scores(model: ModelFolder, tmp_path: Path) -> None:
    """Two processes that start at the same time use one conversion."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    arguments = (model.path, tmp_path / "cache", results)
    processes = [context.Process(target=score_in_a_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert results.get() == results.get() == scores(model, tmp_path / "cache").tolist()


def test_read_only_cache_logs_a_warning(model: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The model still loads; the warning states that each start converts again."""
    (tmp_path / "cache").write_text("a file instead of a folder")
    assert scores(model, tmp_path / "cache").shape == (3,)
    assert "the next start will convert again" in caplog.text


def test_loaded_model_needs_no_files(model: ModelFolder, tmp_path: Path) -> None:
    """A loaded model reads neither its folder nor the cache."""
    scores(model, tmp_path / "cache")
    loaded = CrossEncoderReranker.from_folder(model, runtime=openvino_runtime("int8", tmp_path / "cache"))
    expected = loaded.score(QUERY, TEXTS).logits.tolist()
    shutil.rmtree(model.path)
    shutil.rmtree(tmp_path / "cache")
    assert loaded.score(QUERY, TEXTS).logits.tolist() == expected
    assert loaded.score("green tea", TEXTS).scored.all()
