"""Rules for choosing the backend of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.core.errors import SettingError
from rerank.core.setting_types import Precision, Runtime
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.compute_options import ComputeOptions
from rerank.models.conversion import preparation, prepare
from rerank.models.folder import ModelFolder
from rerank.models.processors import has_bfloat16
from rerank.models.runtime import JointLayers, PairClassifier, TextBody
from rerank.models.runtimes.choice import Backend, cached_choice, choose
from rerank.models.runtimes.trial import MAX_ERROR, run_trials
from tests.models import tiny


@dataclass(frozen=True)
class InaccurateRuntime:
    """A ModelRuntime whose logits differ from the correct logits by `error`."""

    error: float
    name: Literal["openvino"] = "openvino"
    precision: Precision = "float32"
    batch_tokens: int = 1024

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        return self

    def labels(self, rows: TokenRows, types: NDArray[np.int32]) -> NDArray[np.float32]:
        correct = np.where(rows.ids.sum(axis=1) % 2, 1.0, -1.0)
        return (correct + self.error).astype(np.float32)[:, None]

    def body(self, folder: ModelFolder) -> TextBody:
        raise NotImplementedError

    def joint_layers(self, folder: ModelFolder) -> JointLayers:
        raise NotImplementedError


@pytest.fixture
def model(tmp_path: Path) -> ModelFolder:
    """Returns a reranker."""
    return ModelFolder.read(tiny.bert(tmp_path / "model", labels=1))


def test_inaccurate_backend_is_not_right(model: ModelFolder) -> None:
    """A backend is right only if its error is at most MAX_ERROR standard deviations of the logits."""
    trials = run_trials(
        model, [InaccurateRuntime(0), InaccurateRuntime(0.5 * MAX_ERROR), InaccurateRuntime(1.5 * MAX_ERROR)]
    )
    assert [trial.right for trial in trials] == [True, True, False]
    assert trials[1].error == pytest.approx(0.5 * MAX_ERROR, rel=0.1)


def test_configured_backend_is_chosen_without_measurement(model: ModelFolder, tmp_path: Path) -> None:
    """If one backend is allowed, nothing is measured or written."""
    compute = ComputeOptions("openvino", "bfloat16", tmp_path / "cache")
    assert choose(model, compute).backend == Backend("openvino", "bfloat16")
    assert not (tmp_path / "cache").exists()


def test_auto_measures_once_and_chooses_the_fastest(model: ModelFolder, tmp_path: Path) -> None:
    """The first call measures all backends and stores the choice; the second call reads the choice."""
    compute = ComputeOptions("openvino", "auto", tmp_path / "cache")
    assert cached_choice(model, compute) is None
    choice = choose(model, compute)
    expected = ["float32", "bfloat16", "int8"] if has_bfloat16() else ["float32", "int8"]
    assert [trial.precision for trial in choice.trials] == expected
    accurate = [trial for trial in choice.trials if trial.right]
    assert choice.backend.precision == max(accurate, key=lambda trial: trial.texts_a_second).precision
    (file,) = (tmp_path / "cache" / "choices").iterdir()
    written = file.stat().st_mtime_ns
    assert choose(model, compute) == choice == cached_choice(model, compute)
    assert file.stat().st_mtime_ns == written


def test_choice_depends_on_settings_and_model(model: ModelFolder, tmp_path: Path) -> None:
    """A choice does not apply to other settings or to a changed model."""
    compute = ComputeOptions("openvino", "auto", tmp_path / "cache")
    choose(model, compute)
    assert cached_choice(model, replace(compute, runtime="auto")) is None
    tiny.write_json(model.path / "rerank.json", {"prompts": {"query": "what "}})
    assert cached_choice(ModelFolder.read(model.path), compute) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"backend": {"runtime": "abacus"}}'])
def test_unreadable_choice_is_measured_again(model: ModelFolder, tmp_path: Path, content: str) -> None:
    """A truncated or invalid file is replaced."""
    compute = ComputeOptions("openvino", "auto", tmp_path / "cache")
    choose(model, compute)
    (file,) = (tmp_path / "cache" / "choices").iterdir()
    file.write_text(content, encoding="utf-8")
    assert choose(model, compute).backend.runtime == "openvino"
    assert cached_choice(model, compute) is not None


@pytest.mark.parametrize(
    ("runtime", "precision", "problem"),
    [
        ("torch", "int8", "runtime torch with precision int8 is not available"),
        ("openvino", "float16", "precision float16 is not available"),
    ],
)
def test_unavailable_combination_raises_setting_error(
    model: ModelFolder, tmp_path: Path, runtime: Runtime, precision: Precision, problem: str
) -> None:
    """The error names the settings to change."""
    with pytest.raises(SettingError, match=f"{problem}.* Set runtime or precision to auto"):
        choose(model, ComputeOptions(runtime, precision, tmp_path))


def test_prepared_model_is_ready(model: ModelFolder, tmp_path: Path) -> None:
    """After `prepare`, a start finds the choice and the converted model."""
    compute = ComputeOptions("openvino", "int8", tmp_path / "cache")
    before = preparation(model, compute)
    assert before is not None
    assert not before.ready
    after = prepare(model, compute)
    assert after == preparation(model, compute)
    assert after.ready
    assert after.converted is not None
    assert after.converted.is_dir()
    assert (after.runtime, after.precision) == ("openvino", "int8")


def test_model_without_conversion_is_ready(model: ModelFolder, tmp_path: Path) -> None:
    """A float32 graph is built from the weights, so nothing must be prepared."""
    state = preparation(model, ComputeOptions("openvino", "float32", tmp_path))
    assert state is not None
    assert (state.ready, state.converted) == (True, None)
