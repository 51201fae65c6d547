"""Packed weights are read exactly, by every runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer

from recipes.encoder.packed import as_blocks, pack, packed
from rerank.core.errors import ModelInvalid
from rerank.core.setting_types import Runtime
from rerank.models.compute_options import REPRODUCIBLE_COMPUTE
from rerank.models.folder import ModelFolder
from rerank.models.loading import load_encoder
from rerank.models.packed_weights import PACKED_FILE, has_packed_weights, read_packed, transformers_folder, unpacked
from rerank.models.training.text_encoder import open_text_encoder
from tests.models import tiny

TEXTS = ["what is tea", "the dog in the cold"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Returns the folders of an encoder with plain and with packed weights."""
    plain = tiny.bert(tmp_path / "plain")
    pack(plain, tmp_path / "packed")
    return plain, tmp_path / "packed"


def test_blocks_return_their_weights_exactly() -> None:
    """Every combination of two halves and every scale comes back, and other weights have no such form."""
    generator = np.random.default_rng(1)
    steps = generator.integers(-8, 8, size=(40, 64)).astype(np.float32)
    steps[:, [0, 32]] = -8
    scales = np.repeat(2.0 ** generator.integers(-6, 3, size=(40, 2)), 32, axis=1).astype(np.float32)
    weights = steps * scales
    blocks = as_blocks(weights)
    assert blocks is not None
    np.testing.assert_array_equal(unpacked({f"w.{kind}": array for kind, array in blocks.items()})["w"], weights)
    assert as_blocks(generator.normal(size=(4, 32)).astype(np.float32)) is None


def test_rows_differ_by_half_a_step_at_most() -> None:
    """A step is the largest weight of a row divided by 127. Vectors are stored as they are."""
    weights = {"w": np.random.default_rng(2).normal(size=(5, 33)).astype(np.float32), "b": np.ones(3, np.float32)}
    restored = unpacked(packed(weights))
    assert restored.keys() == weights.keys()
    np.testing.assert_array_equal(restored["b"], weights["b"])
    assert (np.abs(restored["w"] - weights["w"]) <= np.abs(weights["w"]).max(axis=1, keepdims=True) / 254 + 1e-7).all()


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_packed_encoder_returns_the_vectors_of_its_weights(folders: tuple[Path, Path], runtime: Runtime) -> None:
    """Both runtimes read the packed file, and training reads an unpacked copy: all have the same vectors."""
    _, folder = folders
    compute = replace(REPRODUCIBLE_COMPUTE, runtime=runtime)
    vectors = load_encoder(str(folder), compute=compute).encode_documents(TEXTS)
    with transformers_folder(ModelFolder.read(folder)) as copy:
        np.testing.assert_allclose(
            SentenceTransformer(str(copy)).encode(TEXTS, normalize_embeddings=True), vectors, atol=1e-4
        )
    assert open_text_encoder(ModelFolder.read(folder)).dim == vectors.shape[1]


def test_folder_without_packed_weights_is_used_as_it_is(folders: tuple[Path, Path]) -> None:
    """transformers loads a plain folder directly."""
    plain = ModelFolder.read(folders[0])
    assert not has_packed_weights(plain)
    with transformers_folder(plain) as path:
        assert path == plain.weights


def test_broken_file_is_refused(folders: tuple[Path, Path]) -> None:
    """A truncated file and a file without a scale raise ModelInvalid with the file's name."""
    folder = ModelFolder.read(folders[1])
    file = folders[1] / PACKED_FILE
    save_file({"w.rows": np.zeros((2, 2), np.int8)}, str(file))
    with pytest.raises(ModelInvalid, match=PACKED_FILE):
        read_packed(folder)
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ModelInvalid, match=PACKED_FILE):
        read_packed(folder)
