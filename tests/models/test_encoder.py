"""Rules for encoders, with sentence-transformers as the reference."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from rerank.core.errors import ModelInvalid, ModelOutputInvalid, ModelTimeout
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.encoder import BiEncoder
from rerank.models.folder import ModelFolder
from rerank.models.packed_weights import transformers_folder
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.torch.placement import Placement
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE, TorchRuntime
from tests.models import tiny
from tests.models.backends import OPENVINO_RUNTIMES

BF16 = TorchRuntime(Placement(torch.device("cpu"), torch.bfloat16))
TEXTS = ["what is a cat", "the dog and the green tea " * 20, "x", "", "the dog", "what is a cat", "perché 日本 no"]


@pytest.fixture(scope="module")
def built_in() -> BiEncoder:
    """Returns the built-in encoder in float32."""
    return BiEncoder.from_folder(resolve(DEFAULT, role="encoder"), runtime=TORCH_REFERENCE)


def loaded(folder: Path, runtime: ModelRuntime = TORCH_REFERENCE) -> BiEncoder:
    """Returns the encoder in *folder*."""
    return BiEncoder.from_folder(ModelFolder.read(folder), runtime=runtime)


def reference(folder: Path) -> SentenceTransformer:
    """Returns the encoder in *folder* as sentence-transformers loads it."""
    return SentenceTransformer(str(folder), device="cpu")


def test_built_in_encoder_returns_sentence_transformers_vectors(built_in: BiEncoder) -> None:
    """Vectors are compatible with indexes that sentence-transformers built with the same model."""
    folder = resolve(DEFAULT, role="encoder")
    texts = [folder.prompts["document"] + text for text in TEXTS]
    with transformers_folder(folder) as path:
        expected = reference(path).encode(texts, normalize_embeddings=True)

    np.testing.assert_allclose(built_in.encode_documents(TEXTS), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta, tiny.distilbert])
def test_third_party_encoder_returns_sentence_transformers_vectors(
    tmp_path: Path, build: Callable[[Path], Path], pooling: str
) -> None:
    """Each network and each pooling computes the vectors of the reference."""
    build(tmp_path)
    tiny.write_json(tmp_path / "1_Pooling/config.json", {"embedding_dimension": 32, "pooling_mode": pooling})
    kinds = [("", "base.modules.transformer.Transformer"), ("1_Pooling", "sentence_transformer.modules.Pooling")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    tiny.write_json(tmp_path / "modules.json", modules)
    expected = reference(tmp_path).encode(TEXTS, normalize_embeddings=True)

    np.testing.assert_allclose(loaded(tmp_path).encode_queries(TEXTS), expected, atol=1e-5)


def test_prompts_precede_the_texts(tmp_path: Path) -> None:
    """Queries and documents have their own prompts."""
    tiny.bert(tmp_path)
    plain = loaded(tmp_path).encode_queries(["what tea", "the tea"])
    tiny.write_json(tmp_path / "rerank.json", {"prompts": {"query": "what ", "document": "the "}})

    prompted = loaded(tmp_path)

    np.testing.assert_allclose(prompted.encode_queries(["tea"]), plain[:1], atol=1e-6)
    np.testing.assert_allclose(prompted.encode_documents(["tea"]), plain[1:], atol=1e-6)


@pytest.mark.parametrize(("runtime", "tolerance"), [(TORCH_REFERENCE, 1e-5), (BF16, 1e-2), *OPENVINO_RUNTIMES])
def test_vector_is_independent_of_its_batch(tmp_path: Path, runtime: ModelRuntime, tolerance: float) -> None:
    """A text has the same vector alone and in a batch of longer and shorter texts."""
    encoder = loaded(tiny.bert(tmp_path), runtime)

    batched = encoder.encode_documents(TEXTS)

    single = np.concatenate([encoder.encode_documents([text]) for text in TEXTS])
    np.testing.assert_allclose(batched, single, atol=tolerance)


def test_bfloat16_vectors_are_near_float32(built_in: BiEncoder) -> None:
    """The cosine distance to float32 is below 0.001."""
    fast = BiEncoder.from_folder(resolve(DEFAULT, role="encoder"), runtime=BF16)

    cosines = (fast.encode_documents(TEXTS) * built_in.encode_documents(TEXTS)).sum(axis=1)

    assert cosines.min() > 1 - 1e-3
    assert fast.fingerprint == built_in.fingerprint


def test_vectors_are_float32_of_unit_length(built_in: BiEncoder) -> None:
    """Shape and dtype also hold for an empty list."""
    vectors, empty = built_in.encode_documents(TEXTS), built_in.encode_queries([])

    assert (vectors.shape, vectors.dtype.name) == ((len(TEXTS), 384), "float32")
    assert (empty.shape, empty.dtype.name) == ((0, 384), "float32")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_deadline_ends_the_encoding_of_queries(built_in: BiEncoder) -> None:
    """A deadline in the past raises ModelTimeout. A later request without one succeeds."""
    with pytest.raises(ModelTimeout):
        built_in.encode_queries(["a query that is not cached"], deadline=time.monotonic() - 1)
    assert built_in.encode_queries(["a query that is not cached"]).shape == (1, built_in.dim)


def test_invalid_characters_have_finite_vectors(built_in: BiEncoder) -> None:
    """Lone surrogates and NUL characters do not raise an error."""
    assert np.isfinite(built_in.encode_documents(["a \ud83d b", "\x00", "\udfff"])).all()


def test_nan_weight_raises_model_output_invalid(tmp_path: Path) -> None:
    """The error names the text, and the invalid vector does not reach an index."""
    file = tiny.bert(tmp_path) / "model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if name.endswith("word_embeddings.weight"))
    weights[name][5] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    broken = loaded(tmp_path)
    assert broken.encode_documents(["the cat"]).shape == (1, 32)
    with pytest.raises(ModelOutputInvalid, match="not finite for the text 'the cat is'"):
        broken.encode_documents(["the cat", "the cat is"])


def test_missing_tensor_is_refused(tmp_path: Path) -> None:
    """The error names the file and the tensor."""
    file = tiny.bert(tmp_path) / "model.safetensors"
    weights = load_file(file)
    missing = next(name for name in weights if name.endswith("layer.1.output.dense.bias"))
    del weights[missing]
    save_file(weights, file, metadata={"format": "pt"})

    with pytest.raises(ModelInvalid, match=r"model\.safetensors: the tensor encoder\.layer\.1\.output\.dense\.bias"):
        loaded(tmp_path)


def test_truncated_or_missing_weights_are_refused(tmp_path: Path) -> None:
    """The error names the incomplete or missing file."""
    file = tiny.bert(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelInvalid, match=r"cannot read .*model\.safetensors"):
        loaded(tmp_path)
    file.unlink()
    with pytest.raises(ModelInvalid, match=r"model\.safetensors is missing"):
        loaded(tmp_path)
