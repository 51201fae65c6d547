"""What computes a model: as the settings say, or the fastest that answers right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank.core.errors import SettingError
from rerank.core.settings import Precision, Runtime
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.compute_options import ComputeOptions
from rerank.models.conversion import preparation, prepare
from rerank.models.folder import ModelFolder
from rerank.models.runtime import JointHalves, PairClassifier, TextBody
from rerank.models.runtimes.choice import Backend, cached_choice, choose
from rerank.models.runtimes.trial import MAX_ERROR, run_trials
from tests.models import tiny


@dataclass(frozen=True)
class WrongRuntime:
    """A ModelRuntime whose logits are all wrong by *error*."""

    error: float
    name: Literal["openvino"] = "openvino"
    precision: Precision = "float32"
    batch_tokens: int = 1024

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        return self

    def labels(self, rows: TokenRows, types: NDArray[np.int32]) -> NDArray[np.float32]:
        right = np.where(rows.ids.sum(axis=1) % 2, 1.0, -1.0)
        return (right + self.error).astype(np.float32)[:, None]

    def body(self, folder: ModelFolder) -> TextBody:
        raise NotImplementedError

    def halves(self, folder: ModelFolder) -> JointHalves:
        raise NotImplementedError


@pytest.fixture
def model(tmp_path: Path) -> ModelFolder:
    """A reranker."""
    return ModelFolder.read(tiny.bert(tmp_path / "model", labels=1))


def test_a_way_that_answers_wrong_is_told_from_one_that_rounds(model: ModelFolder) -> None:
    """What differs by more than the stated part of the scores' own deviation is not right, however fast."""
    trials = run_trials(model, [WrongRuntime(0), WrongRuntime(0.5 * MAX_ERROR), WrongRuntime(1.5 * MAX_ERROR)])
    assert [trial.right for trial in trials] == [True, True, False]
    assert trials[1].error == pytest.approx(0.5 * MAX_ERROR, rel=0.1)


def test_what_the_settings_name_is_taken(model: ModelFolder, tmp_path: Path) -> None:
    """Where one backend is left, nothing is tried out and nothing written."""
    compute = ComputeOptions("openvino", "bfloat16", tmp_path / "cache")
    assert choose(model, compute).backend == Backend("openvino", "bfloat16")
    assert not (tmp_path / "cache").exists()


def test_auto_takes_the_fastest_right_one_once(model: ModelFolder, tmp_path: Path) -> None:
    """It compares all ways, remembers the answer, and does not ask again."""
    compute = ComputeOptions("openvino", "auto", tmp_path / "cache")
    assert cached_choice(model, compute) is None
    choice = choose(model, compute)
    assert [trial.precision for trial in choice.trials] == ["float32", "bfloat16", "int8"]
    right = [trial for trial in choice.trials if trial.right]
    assert choice.backend.precision == max(right, key=lambda trial: trial.texts_a_second).precision
    (file,) = (tmp_path / "cache" / "choices").iterdir()
    written = file.stat().st_mtime_ns
    assert choose(model, compute) == choice == cached_choice(model, compute)
    assert file.stat().st_mtime_ns == written


def test_each_setting_and_model_has_an_answer_of_its_own(model: ModelFolder, tmp_path: Path) -> None:
    """What was found out for others says nothing."""
    compute = ComputeOptions("openvino", "auto", tmp_path / "cache")
    choose(model, compute)
    assert cached_choice(model, replace(compute, runtime="auto")) is None
    tiny.write_json(model.path / "rerank.json", {"prompts": {"query": "what "}})
    assert cached_choice(ModelFolder.read(model.path), compute) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"backend": {"runtime": "abacus"}}'])
def test_an_answer_that_cannot_be_read_is_found_out_again(model: ModelFolder, tmp_path: Path, content: str) -> None:
    """A file that a crash has cut off is not trusted."""
    compute = ComputeOptions("openvino", "auto", tmp_path / "cache")
    choose(model, compute)
    (file,) = (tmp_path / "cache" / "choices").iterdir()
    file.write_text(content, encoding="utf-8")
    assert choose(model, compute).backend.runtime == "openvino"
    assert cached_choice(model, compute) is not None


@pytest.mark.parametrize(
    ("runtime", "precision", "problem"),
    [
        ("torch", "int8", "runtime torch with precision int8: not for"),
        ("openvino", "float16", "precision float16: not"),
    ],
)
def test_a_combination_that_there_is_not_is_a_setting_error(
    model: ModelFolder, tmp_path: Path, runtime: Runtime, precision: Precision, problem: str
) -> None:
    """The error says what to set."""
    with pytest.raises(SettingError, match=f"{problem}.* Set runtime or precision to auto"):
        choose(model, ComputeOptions(runtime, precision, tmp_path))


def test_what_is_prepared_is_ready(model: ModelFolder, tmp_path: Path) -> None:
    """Afterwards a start finds everything: the answer, and the converted model, wherever the choice needs one."""
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


def test_what_needs_no_conversion_is_ready_at_once(model: ModelFolder, tmp_path: Path) -> None:
    """In floating point a graph is made from the weights themselves."""
    found = preparation(model, ComputeOptions("openvino", "float32", tmp_path))
    assert found is not None
    assert (found.ready, found.converted) == (True, None)
