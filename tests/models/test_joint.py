"""Rules for the joint reranker as a training module."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rerank.core.errors import ModelInvalid
from rerank.models.architectures.joint import CONFIG_FILE, WEIGHTS_FILE, JointReranker
from rerank.models.folder import ModelFolder
from rerank.models.loading import load_ranking_model
from rerank.models.training.pretrained import open_tokenizer
from tests.models import tiny

QUERY = "what is tea"
PASSAGES = ["tea is green", "the dog in the cold and the cat in the warm of two three long words", "a"]


def tokens(folder: Path, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns ids and mask of *texts*."""
    encoded = open_tokenizer(ModelFolder.read(folder))(texts, padding=True, return_tensors="pt")
    return encoded["input_ids"], encoded["attention_mask"]


def logits(model: JointReranker, folder: Path, passages: list[str]) -> torch.Tensor:
    """Returns the logits of *passages* for QUERY."""
    model.eval()
    with torch.inference_mode():
        rows = torch.zeros(len(passages), dtype=torch.int64)
        computed: torch.Tensor = model(tokens(folder, [QUERY]), tokens(folder, passages), rows)
    return computed


def trained(folder: Path) -> JointReranker:
    """Returns a model whose head is not zero."""
    model = JointReranker.from_encoder(folder)
    with torch.no_grad():
        model.head.weight.normal_(generator=torch.Generator().manual_seed(3))
        model.scale.fill_(7.0)
        model.bias.fill_(-2.0)
    return model


def test_untrained_model_scores_by_cosine(tmp_path: Path) -> None:
    """The head starts at zero, so the logit is the scaled and shifted cosine of the mean vectors."""
    base = tiny.bert(tmp_path)
    model = JointReranker.from_encoder(base, lower_layers=1)
    cosines = (logits(model, base, PASSAGES) - model.bias) / model.scale
    assert bool(((cosines >= -1.0001) & (cosines <= 1.0001)).all())


def test_logit_is_independent_of_other_passages(tmp_path: Path) -> None:
    """Padding and other passages of the batch do not change a logit."""
    base = tiny.bert(tmp_path)
    model = trained(base)
    single = torch.cat([logits(model, base, [passage]) for passage in PASSAGES])
    torch.testing.assert_close(logits(model, base, PASSAGES), single, rtol=1e-4, atol=1e-4)


def test_one_query_for_all_passages_returns_equal_logits(tmp_path: Path) -> None:
    """Lower and upper layers, called with a single query, return the logits of the complete model."""
    base = tiny.bert(tmp_path)
    model = trained(base)
    query_ids, query_mask = tokens(base, [QUERY])
    ids, mask = tokens(base, PASSAGES)
    expected = logits(model, base, PASSAGES)
    with torch.inference_mode():
        query, passages = model.apply_lower_layers(query_ids, query_mask), model.apply_lower_layers(ids, mask)
        computed = model.apply_upper_layers(query, query_mask, passages, mask)
    torch.testing.assert_close(computed, expected)


def test_upper_layers_attend_to_the_query(tmp_path: Path) -> None:
    """Masking the query in the upper layers changes the logit, unlike in a bi-encoder."""
    base = tiny.bert(tmp_path)
    model = JointReranker.from_encoder(base, lower_layers=1)
    query = model.apply_lower_layers(*tokens(base, [QUERY]))
    passage = model.apply_lower_layers(*tokens(base, [PASSAGES[0]]))
    _, mask = tokens(base, [QUERY])
    _, passage_mask = tokens(base, [PASSAGES[0]])
    attended = model.apply_upper_layers(query, mask, passage, passage_mask)
    masked = model.apply_upper_layers(query, torch.zeros_like(mask), passage, passage_mask)
    assert not torch.allclose(attended, masked)


def test_saved_model_returns_equal_logits(tmp_path: Path) -> None:
    """Weights are float16 in the file and float32 in memory. Encoder weights have the names of BERT."""
    base = tiny.bert(tmp_path / "base")
    model = trained(base)
    model.save(tmp_path / "saved", tokenizer_from=base)
    loaded = JointReranker.from_folder(tmp_path / "saved")
    torch.testing.assert_close(logits(loaded, base, PASSAGES), logits(model, base, PASSAGES), rtol=0.02, atol=0.05)
    stored = load_file(tmp_path / "saved" / WEIGHTS_FILE)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert {"joint.scale", "joint.bias", "joint.head.weight", "embeddings.word_embeddings.weight"} <= set(stored)


def test_inference_returns_the_logits_of_training(tmp_path: Path) -> None:
    """The inference network and the training module compute equal logits."""
    base = tiny.bert(tmp_path / "base")
    model = trained(base)
    model.save(tmp_path / "saved", tokenizer_from=base, dtype=torch.float32)
    served = load_ranking_model(str(tmp_path / "saved")).reranker.score(QUERY, PASSAGES).logits
    np.testing.assert_allclose(served, logits(model, base, PASSAGES).numpy(), rtol=0.02, atol=0.15)


def test_lower_layers_default_to_half(tmp_path: Path) -> None:
    """A base of two layers gets one lower layer."""
    assert JointReranker.from_encoder(tiny.bert(tmp_path)).lower_layers == 1


@pytest.mark.parametrize("layers", [-1, 2])
def test_invalid_number_of_lower_layers_is_refused(tmp_path: Path, layers: int) -> None:
    """At least one upper layer is required; without one the model would be a bi-encoder."""
    base = tiny.bert(tmp_path)
    with pytest.raises(ModelInvalid, match="lower_layers must be between 0 and 1"):
        JointReranker.from_encoder(base, lower_layers=layers)


def test_base_other_than_bert_is_refused(tmp_path: Path) -> None:
    """The error names the folder and the model type."""
    with pytest.raises(ModelInvalid, match="must be a BERT, got distilbert"):
        JointReranker.from_encoder(tiny.distilbert(tmp_path / "distil"))
    with pytest.raises(ModelInvalid, match=r"cannot load .* as an encoder"):
        JointReranker.from_encoder(tmp_path / "nothing")


def test_folder_without_a_joint_reranker_is_refused(tmp_path: Path) -> None:
    """The error names the missing key or the broken folder."""
    base = tiny.bert(tmp_path / "base")
    with pytest.raises(ModelInvalid, match=r"joint_apart_layers is missing, so this is not a joint reranker"):
        JointReranker.from_folder(base)
    JointReranker.from_encoder(base).save(tmp_path / "saved", tokenizer_from=base)
    weights = tmp_path / "saved" / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ModelInvalid, match=r"cannot load .* as a joint reranker"):
        JointReranker.from_folder(tmp_path / "saved")


def test_saved_config_names_the_architecture(tmp_path: Path) -> None:
    """config.json has the class and the number of lower layers."""
    base = tiny.bert(tmp_path / "base")
    JointReranker.from_encoder(base).save(tmp_path / "saved", tokenizer_from=base)
    config = json.loads((tmp_path / "saved" / CONFIG_FILE).read_text())
    assert (config["architectures"], config["joint_apart_layers"]) == (["JointReranker"], 1)
