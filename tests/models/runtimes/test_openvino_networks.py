"""Rules for networks in OpenVINO, with torch as the reference."""

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
"""Root mean square of the differences to float32, in deviations of the outputs.

A tiny model with large random weights has larger errors than a trained model.
"""


def rows(*, count: int = 9, longest: int = 61) -> TokenRows:
    """Returns rows of random tokens, the longest row first."""
    random = np.random.default_rng(0)
    lengths = np.sort(random.integers(3, longest, count))[::-1].astype(np.int32)
    lengths[0] = longest
    ids = random.integers(4, 30, (count, longest)).astype(np.int32)
    ids[np.arange(longest) >= lengths[:, None]] = 0
    return TokenRows(ids, lengths)


def joint(folder: Path) -> Path:
    """Returns the folder of a joint reranker with a random head."""
    model = JointReranker.from_encoder(tiny.bert(folder / "encoder"), lower_layers=1)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    model.save(folder / "joint", tokenizer_from=folder / "encoder", dtype=torch.float32)
    return folder / "joint"


def labels(folder: ModelFolder, runtime: ModelRuntime) -> NDArray[np.float32]:
    """Returns the logits of a classifier for random pairs."""
    pairs = rows()
    types = pairs.types([4] * len(pairs.ids), second_type=0 if folder.config["model_type"] == "roberta" else 1)
    return runtime.classifier(folder).labels(pairs, types)


def logits(folder: ModelFolder, runtime: ModelRuntime) -> NDArray[np.float32]:
    """Returns the logits of a joint reranker for a random query and passages."""
    layers = runtime.joint_layers(folder)
    return layers.logits(layers.lower_output(rows(count=1, longest=13)), rows(longest=40))


def assert_close(runtime: ModelRuntime, outputs: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Asserts that *outputs* equal *expected* within the tolerance of the precision."""
    assert outputs.shape == expected.shape
    assert outputs.dtype == np.float32
    error = float(np.sqrt(np.square(outputs - expected).mean()))
    assert error <= TOLERANCE[runtime.precision] * max(float(expected.std()), 1.0)


@pytest.mark.parametrize(("runtime", "_"), OPENVINO_RUNTIMES, ids=lambda backend: getattr(backend, "precision", ""))
@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta])
def test_classifier_returns_the_logits_of_torch(
    tmp_path: Path, build: Callable[..., Path], runtime: ModelRuntime, _: float
) -> None:
    """Layers, token types, positions, padding and head compute the same values as the reference."""
    folder = ModelFolder.read(build(tmp_path, labels=3))
    assert_close(runtime, labels(folder, runtime), labels(folder, TORCH_REFERENCE))


@pytest.mark.parametrize(("runtime", "_"), OPENVINO_RUNTIMES, ids=lambda backend: getattr(backend, "precision", ""))
def test_joint_reranker_returns_the_logits_of_torch(tmp_path: Path, runtime: ModelRuntime, _: float) -> None:
    """Lower and upper layers compute the same values as the reference."""
    folder = ModelFolder.read(joint(tmp_path))
    assert_close(runtime, logits(folder, runtime), logits(folder, TORCH_REFERENCE))


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize(("runtime", "_"), OPENVINO_RUNTIMES, ids=lambda backend: getattr(backend, "precision", ""))
def test_encoder_returns_the_vectors_of_torch(tmp_path: Path, runtime: ModelRuntime, _: float, pooling: str) -> None:
    """Each pooling returns the vectors of the reference, with unit length."""
    tiny.bert(tmp_path)
    tiny.write_json(tmp_path / "1_Pooling/config.json", {"pooling_mode": pooling})
    kinds = [("", "models.Transformer"), ("1_Pooling", "models.Pooling")]
    modules = [{"path": path, "type": f"sentence_transformers.{kind}"} for path, kind in kinds]
    tiny.write_json(tmp_path / "modules.json", modules)
    folder = ModelFolder.read(tmp_path)
    vectors = runtime.body(folder).vectors(rows())

    assert_close(runtime, vectors, TORCH_REFERENCE.body(folder).vectors(rows()))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_return_the_logits_of_torch(tmp_path: Path, dtype: torch.dtype) -> None:
    """Weights in float16 and bfloat16 are read without torch."""
    file = tiny.bert(tmp_path, labels=1) / "model.safetensors"
    save_file({name: tensor.to(dtype) for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    folder = ModelFolder.read(tmp_path)
    assert_close(OPENVINO_FLOAT32, labels(folder, OPENVINO_FLOAT32), labels(folder, TORCH_REFERENCE))


def test_missing_tensor_is_refused(tmp_path: Path) -> None:
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
def test_nan_weight_raises_model_output_invalid(tmp_path: Path, runtime: ModelRuntime, _: float) -> None:
    """The error names the text, in every precision."""
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
def test_rows_are_split_by_number_of_tokens(lengths: list[int], streams: int, expected: list[slice]) -> None:
    """Each core gets about the same number of tokens. A short batch is not split."""
    batch = TokenRows(np.zeros((len(lengths), max(lengths)), dtype=np.int32), np.array(lengths, dtype=np.int32))
    assert split_rows(batch, streams=streams) == expected


@pytest.mark.parametrize(("longest", "width"), [(1, 8), (8, 8), (9, 16), (61, 62)])
def test_columns_are_padded_to_steps_of_eight(longest: int, width: int) -> None:
    """The width is a multiple of eight, but at most the number of positions."""
    ids = np.arange(1, 1 + 2 * longest, dtype=np.int32).reshape(2, longest)
    padded = pad_columns(ids, longest=longest, positions=62)
    assert padded.shape == (2, width)
    assert np.array_equal(padded[:, :longest], ids)
    assert not padded[:, longest:].any()
