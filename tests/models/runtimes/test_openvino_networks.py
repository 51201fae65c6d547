"""OpenVINO against torch: the same models, the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from rerank.core.errors import ModelInvalid, ModelOutputInvalid
from rerank.models.architectures.joint import JointReranker
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.openvino.compiled import pad_columns, split_rows
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE
from tests.models import tiny
from tests.models.backends import OPENVINO_FLOAT32, OPENVINO_RUNTIMES

TOLERANCE = {"float32": 1e-5, "bfloat16": 0.03, "int8": 0.3}
"""Root mean square of the differences to float32, in the answers' own deviation.

A tiny model with wide random weights is harder on a precision than a trained one.
"""


def rows(*, count: int = 9, longest: int = 61) -> TokenRows:
    """Random tokens, longest row first."""
    random = np.random.default_rng(0)
    lengths = np.sort(random.integers(3, longest, count))[::-1].astype(np.int32)
    lengths[0] = longest
    ids = random.integers(4, 30, (count, longest)).astype(np.int32)
    ids[np.arange(longest) >= lengths[:, None]] = 0
    return TokenRows(ids, lengths)


def joint(folder: Path) -> Path:
    """A joint reranker with a head that says something."""
    model = JointReranker.from_encoder(tiny.bert(folder / "encoder"), apart_layers=1)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    model.save(folder / "joint", tokenizer_from=folder / "encoder", dtype=torch.float32)
    return folder / "joint"


def labels(folder: ModelFolder, runtime: ModelRuntime) -> NDArray[np.float32]:
    """A classifier's answers to random pairs."""
    pairs = rows()
    kinds = pairs.types([4] * len(pairs.ids), second_type=0 if folder.config["model_type"] == "roberta" else 1)
    return runtime.classifier(folder).labels(pairs, kinds)


def logits(folder: ModelFolder, runtime: ModelRuntime) -> NDArray[np.float32]:
    """A joint reranker's answers to a random query and passages."""
    halves = runtime.halves(folder)
    return halves.logits(halves.lower(rows(count=1, longest=13)), rows(longest=40))


def check(runtime: ModelRuntime, found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Equal within what the precision gives."""
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    error = float(np.sqrt(np.square(found - expected).mean()))
    assert error <= TOLERANCE[runtime.precision] * max(float(expected.std()), 1.0)


@pytest.mark.parametrize(("runtime", "_"), OPENVINO_RUNTIMES, ids=lambda backend: getattr(backend, "precision", ""))
@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta])
def test_a_classifier_answers_as_in_torch(
    tmp_path: Path, build: Callable[..., Path], runtime: ModelRuntime, _: float
) -> None:
    """Every layer, token types, positions, padding and head are those of the reference."""
    folder = ModelFolder.read(build(tmp_path, labels=3))
    check(runtime, labels(folder, runtime), labels(folder, TORCH_REFERENCE))


@pytest.mark.parametrize(("runtime", "_"), OPENVINO_RUNTIMES, ids=lambda backend: getattr(backend, "precision", ""))
def test_a_joint_reranker_answers_as_in_torch(tmp_path: Path, runtime: ModelRuntime, _: float) -> None:
    """The lower half is handed on, and the upper one reads both sides."""
    folder = ModelFolder.read(joint(tmp_path))
    check(runtime, logits(folder, runtime), logits(folder, TORCH_REFERENCE))


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize(("runtime", "_"), OPENVINO_RUNTIMES, ids=lambda backend: getattr(backend, "precision", ""))
def test_an_encoder_answers_as_in_torch(tmp_path: Path, runtime: ModelRuntime, _: float, pooling: str) -> None:
    """Whatever the pooling, rows have unit length."""
    tiny.bert(tmp_path)
    tiny.write_json(tmp_path / "1_Pooling/config.json", {"pooling_mode": pooling})
    kinds = [("", "models.Transformer"), ("1_Pooling", "models.Pooling")]
    modules = [{"path": path, "type": f"sentence_transformers.{kind}"} for path, kind in kinds]
    tiny.write_json(tmp_path / "modules.json", modules)
    folder = ModelFolder.read(tmp_path)
    found = runtime.body(folder).vectors(rows())

    check(runtime, found, TORCH_REFERENCE.body(folder).vectors(rows()))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    """As torch reads them, without torch."""
    file = tiny.bert(tmp_path, labels=1) / "model.safetensors"
    save_file({name: tensor.to(dtype) for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    folder = ModelFolder.read(tmp_path)
    check(OPENVINO_FLOAT32, labels(folder, OPENVINO_FLOAT32), labels(folder, TORCH_REFERENCE))


def test_weights_that_lack_a_tensor_are_refused(tmp_path: Path) -> None:
    """The error names the file and the tensor."""
    file = tiny.bert(tmp_path, labels=1) / "model.safetensors"
    weights = load_file(file)
    del weights["bert.encoder.layer.1.output.dense.bias"]
    save_file(weights, file)
    with pytest.raises(ModelInvalid, match=r"safetensors: the tensor encoder\.layer\.1\.output\.dense\.bias is mis"):
        OPENVINO_FLOAT32.classifier(ModelFolder.read(tmp_path))


def test_truncated_or_missing_weights_are_refused(tmp_path: Path) -> None:
    """The error names the incomplete or missing file."""
    file = tiny.bert(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelInvalid, match=r"cannot read .*model\.safetensors"):
        OPENVINO_FLOAT32.body(ModelFolder.read(tmp_path))
    file.unlink()
    with pytest.raises(ModelInvalid, match=r"model\.safetensors is missing"):
        OPENVINO_FLOAT32.body(ModelFolder.read(tmp_path))


@pytest.mark.parametrize(("runtime", "_"), OPENVINO_RUNTIMES, ids=lambda backend: getattr(backend, "precision", ""))
def test_a_value_that_is_not_finite_names_the_text(tmp_path: Path, runtime: ModelRuntime, _: float) -> None:
    """In no precision is a NaN hidden by rounding: it is an error that names the text."""
    file = tiny.bert(tmp_path, labels=1) / "model.safetensors"
    weights = load_file(file)
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    broken = CrossEncoderReranker.from_folder(ModelFolder.read(tmp_path), runtime=runtime)
    with pytest.raises(ModelOutputInvalid, match="returned nan for the text 'the cat is'"):
        broken.score("what", ["the cat is"])


@pytest.mark.parametrize(
    ("lengths", "streams", "expected"),
    [
        ([12], 4, [slice(0, 1)]),
        ([100, 100], 4, [slice(0, 2)]),
        ([512, 512], 4, [slice(0, 1), slice(1, 2)]),
        ([300, 200, 100, 100, 100], 2, [slice(0, 2), slice(2, 5)]),
        ([512] * 7, 3, [slice(0, 3), slice(3, 5), slice(5, 7)]),
    ],
)
def test_rows_are_shared_out_by_tokens(lengths: list[int], streams: int, expected: list[slice]) -> None:
    """Each core has a like part, and a short batch is not cut up."""
    batch = TokenRows(np.zeros((len(lengths), max(lengths)), dtype=np.int32), np.array(lengths, dtype=np.int32))
    assert split_rows(batch, streams=streams) == expected


@pytest.mark.parametrize(("longest", "width"), [(1, 8), (8, 8), (9, 16), (61, 62)])
def test_lengths_go_in_steps_up_to_the_models_positions(longest: int, width: int) -> None:
    """Few different shapes, and never more columns than the model has positions."""
    ids = np.arange(1, 1 + 2 * longest, dtype=np.int32).reshape(2, longest)
    found = pad_columns(ids, longest=longest, positions=62)
    assert found.shape == (2, width)
    assert np.array_equal(found[:, :longest], ids)
    assert not found[:, longest:].any()
