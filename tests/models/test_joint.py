"""The joint reranker where it is trained."""

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
    read = open_tokenizer(ModelFolder.read(folder))(texts, padding=True, return_tensors="pt")
    return read["input_ids"], read["attention_mask"]


def logits(model: JointReranker, folder: Path, passages: list[str]) -> torch.Tensor:
    model.eval()
    with torch.inference_mode():
        rows = torch.zeros(len(passages), dtype=torch.int64)
        answer: torch.Tensor = model(tokens(folder, [QUERY]), tokens(folder, passages), rows)
    return answer


def trained(folder: Path) -> JointReranker:
    """A model whose head is not zero any more."""
    model = JointReranker.from_encoder(folder)
    with torch.no_grad():
        model.head.weight.normal_(generator=torch.Generator().manual_seed(3))
        model.scale.fill_(7.0)
        model.bias.fill_(-2.0)
    return model


def test_an_untrained_model_with_all_layers_apart_but_one_scores_by_cosine(tmp_path: Path) -> None:
    """The head starts at zero: the logit is the scaled cosine of the two means, shifted."""
    base = tiny.bert(tmp_path)
    model = JointReranker.from_encoder(base, apart_layers=1)
    found = (logits(model, base, PASSAGES) - model.bias) / model.scale
    assert bool(((found >= -1.0001) & (found <= 1.0001)).all())


def test_a_logit_does_not_depend_on_the_other_passages(tmp_path: Path) -> None:
    """Padding and neighbours change nothing."""
    base = tiny.bert(tmp_path)
    model = trained(base)
    alone = torch.cat([logits(model, base, [passage]) for passage in PASSAGES])
    torch.testing.assert_close(logits(model, base, PASSAGES), alone, rtol=1e-4, atol=1e-4)


def test_the_query_is_read_once_for_all_passages(tmp_path: Path) -> None:
    """apart and together, called with one query, answer what the whole answers."""
    base = tiny.bert(tmp_path)
    model = trained(base)
    query_ids, query_mask = tokens(base, [QUERY])
    ids, mask = tokens(base, PASSAGES)
    expected = logits(model, base, PASSAGES)
    with torch.inference_mode():
        query, passages = model.apart(query_ids, query_mask), model.apart(ids, mask)
        found = model.together(query, query_mask, passages, mask)
    torch.testing.assert_close(found, expected)


def test_the_upper_layers_read_query_and_passage_together(tmp_path: Path) -> None:
    """A passage's own part of the answer depends on the query: it is no bi-encoder."""
    base = tiny.bert(tmp_path)
    model = JointReranker.from_encoder(base, apart_layers=1)
    query = model.apart(*tokens(base, [QUERY]))
    passage = model.apart(*tokens(base, [PASSAGES[0]]))
    _, mask = tokens(base, [QUERY])
    _, passage_mask = tokens(base, [PASSAGES[0]])
    together = model.together(query, mask, passage, passage_mask)
    unseen = model.together(query, torch.zeros_like(mask), passage, passage_mask)
    assert not torch.allclose(together, unseen)


def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    """float16 on disk, float32 in memory: equal within its precision; the weights carry BERT's own names."""
    base = tiny.bert(tmp_path / "base")
    model = trained(base)
    model.save(tmp_path / "saved", tokenizer_from=base)
    again = JointReranker.from_folder(tmp_path / "saved")
    torch.testing.assert_close(logits(again, base, PASSAGES), logits(model, base, PASSAGES), rtol=0.02, atol=0.05)
    stored = load_file(tmp_path / "saved" / WEIGHTS_FILE)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert {"joint.scale", "joint.bias", "joint.head.weight", "embeddings.word_embeddings.weight"} <= set(stored)


def test_serving_answers_the_same_logits(tmp_path: Path) -> None:
    """What is trained is what is served: the two ways of computing agree."""
    base = tiny.bert(tmp_path / "base")
    model = trained(base)
    model.save(tmp_path / "saved", tokenizer_from=base, dtype=torch.float32)
    served = load_ranking_model(str(tmp_path / "saved")).reranker.score(QUERY, PASSAGES).logits
    np.testing.assert_allclose(served, logits(model, base, PASSAGES).numpy(), rtol=0.02, atol=0.15)


def test_half_of_the_layers_stay_apart_unless_told_otherwise(tmp_path: Path) -> None:
    """A base of any depth becomes a joint reranker."""
    assert JointReranker.from_encoder(tiny.bert(tmp_path)).apart_layers == 1


@pytest.mark.parametrize("layers", [-1, 2])
def test_at_least_one_layer_reads_both(tmp_path: Path, layers: int) -> None:
    """With none left the model would be a bi-encoder."""
    base = tiny.bert(tmp_path)
    with pytest.raises(ModelInvalid, match="apart_layers must be between 0 and 1"):
        JointReranker.from_encoder(base, apart_layers=layers)


def test_what_is_no_bert_is_refused(tmp_path: Path) -> None:
    """The message names the folder and what was found."""
    with pytest.raises(ModelInvalid, match="must be a BERT, got a distilbert"):
        JointReranker.from_encoder(tiny.distilbert(tmp_path / "distil"))
    with pytest.raises(ModelInvalid, match=r"cannot load .* as an encoder"):
        JointReranker.from_encoder(tmp_path / "nothing")


def test_a_folder_of_another_kind_or_with_broken_weights_is_refused(tmp_path: Path) -> None:
    """The message names the file or the folder."""
    base = tiny.bert(tmp_path / "base")
    with pytest.raises(ModelInvalid, match=r"joint_apart_layers is missing, so this is not a joint reranker"):
        JointReranker.from_folder(base)
    JointReranker.from_encoder(base).save(tmp_path / "saved", tokenizer_from=base)
    weights = tmp_path / "saved" / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ModelInvalid, match=r"cannot load .* as a joint reranker"):
        JointReranker.from_folder(tmp_path / "saved")


def test_config_says_what_the_model_is(tmp_path: Path) -> None:
    """config.json carries the class and the number of layers that stay apart."""
    base = tiny.bert(tmp_path / "base")
    JointReranker.from_encoder(base).save(tmp_path / "saved", tokenizer_from=base)
    config = json.loads((tmp_path / "saved" / CONFIG_FILE).read_text())
    assert (config["architectures"], config["joint_apart_layers"]) == (["JointReranker"], 1)
