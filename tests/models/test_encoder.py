from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from rerank.core.errors import ModelInvalid, ModelOutputInvalid
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.encoder import BiEncoder
from rerank.models.folder import ModelFolder
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.torch.placement import Placement
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE, TorchRuntime
from tests.models import tiny
from tests.models.backends import OPENVINO_RUNTIMES

BF16 = TorchRuntime(Placement(torch.device("cpu"), torch.bfloat16))
TEXTS = ["what is a cat", "the dog and the green tea " * 20, "x", "", "the dog", "what is a cat", "perché 日本 no"]


@pytest.fixture(scope="module")
def minilm() -> BiEncoder:
    """The built-in encoder in float32."""
    return BiEncoder.from_folder(resolve(DEFAULT, role="encoder"), runtime=TORCH_REFERENCE)


def loaded(folder: Path, runtime: ModelRuntime = TORCH_REFERENCE) -> BiEncoder:
    """The encoder of a folder."""
    return BiEncoder.from_folder(ModelFolder.read(folder), runtime=runtime)


def theirs(folder: Path) -> SentenceTransformer:
    """The same folder as sentence-transformers reads it."""
    return SentenceTransformer(str(folder), device="cpu")


def test_the_built_in_encoder_gives_the_vectors_of_sentence_transformers(minilm: BiEncoder) -> None:
    """Indexes made elsewhere with the same model stay comparable."""
    expected = theirs(resolve(DEFAULT, role="encoder").path).encode(TEXTS, normalize_embeddings=True)

    np.testing.assert_allclose(minilm.encode_documents(TEXTS), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("build", [tiny.bert, tiny.roberta, tiny.distilbert])
def test_every_body_and_pooling_gives_the_vectors_of_sentence_transformers(
    tmp_path: Path, build: Callable[[Path], Path], pooling: str
) -> None:
    """The layers here, and those of transformers for other networks, answer as the reference does."""
    build(tmp_path)
    tiny.write_json(tmp_path / "1_Pooling/config.json", {"embedding_dimension": 32, "pooling_mode": pooling})
    kinds = [("", "base.modules.transformer.Transformer"), ("1_Pooling", "sentence_transformer.modules.Pooling")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    tiny.write_json(tmp_path / "modules.json", modules)
    expected = theirs(tmp_path).encode(TEXTS, normalize_embeddings=True)

    np.testing.assert_allclose(loaded(tmp_path).encode_queries(TEXTS), expected, atol=1e-5)


def test_prompts_stand_before_the_texts(tmp_path: Path) -> None:
    """Queries and documents each have their own."""
    tiny.bert(tmp_path)
    plain = loaded(tmp_path).encode_queries(["what tea", "the tea"])
    tiny.write_json(tmp_path / "rerank.json", {"prompts": {"query": "what ", "document": "the "}})

    prompted = loaded(tmp_path)

    np.testing.assert_allclose(prompted.encode_queries(["tea"]), plain[:1], atol=1e-6)
    np.testing.assert_allclose(prompted.encode_documents(["tea"]), plain[1:], atol=1e-6)


@pytest.mark.parametrize(("runtime", "tolerance"), [(TORCH_REFERENCE, 1e-5), (BF16, 1e-2), *OPENVINO_RUNTIMES])
def test_a_vector_does_not_depend_on_its_batch(tmp_path: Path, runtime: ModelRuntime, tolerance: float) -> None:
    """Alone or among others, longer or shorter: the same vector."""
    encoder = loaded(tiny.bert(tmp_path), runtime)

    together = encoder.encode_documents(TEXTS)

    alone = np.concatenate([encoder.encode_documents([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=tolerance)


def test_bfloat16_stays_near_float32(minilm: BiEncoder) -> None:
    """What the fast precision costs: a cosine distance below a thousandth."""
    fast = BiEncoder.from_folder(resolve(DEFAULT, role="encoder"), runtime=BF16)

    cosines = (fast.encode_documents(TEXTS) * minilm.encode_documents(TEXTS)).sum(axis=1)

    assert cosines.min() > 1 - 1e-3
    assert fast.fingerprint == minilm.fingerprint


def test_rows_are_float32_of_unit_length_and_none_give_none(minilm: BiEncoder) -> None:
    """Shape and type hold for every input, the empty list too."""
    vectors, none = minilm.encode_documents(TEXTS), minilm.encode_queries([])

    assert (vectors.shape, vectors.dtype.name) == ((len(TEXTS), 384), "float32")
    assert (none.shape, none.dtype.name) == ((0, 384), "float32")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_lone_surrogates_and_nul_are_read(minilm: BiEncoder) -> None:
    """Characters that are none do not stop a run, and give a vector like any other text."""
    assert np.isfinite(minilm.encode_documents(["a \ud83d b", "\x00", "\udfff"])).all()


def test_a_value_that_is_not_finite_names_the_text(tmp_path: Path) -> None:
    """A broken model must not fill an index with nonsense."""
    file = tiny.bert(tmp_path) / "model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if name.endswith("word_embeddings.weight"))
    weights[name][5] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})
    broken = loaded(tmp_path)
    assert broken.encode_documents(["the cat"]).shape == (1, 32)
    with pytest.raises(ModelOutputInvalid, match="not finite for the text 'the cat is'"):
        broken.encode_documents(["the cat", "the cat is"])


def test_weights_that_lack_a_tensor_are_refused(tmp_path: Path) -> None:
    """The error names the file and the tensor; nothing is made up."""
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
