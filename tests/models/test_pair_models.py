from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rerank.core.errors import InvalidRequest, ModelInvalid, ModelNotFound
from rerank.core.pairs import TextPair
from rerank.models.folder import ModelFolder
from rerank.models.loading import LoadedModels
from rerank.models.pair_models import ClassifierPairModel, LoadedPairModels, RerankerPairModel, load_pair_model
from rerank.models.runtimes.torch.runtime import TORCH_REFERENCE
from tests.models import tiny

PAIRS: list[TextPair] = [
    ("what is green tea", "tea is green."),
    ("a cat", "the dog of the cat , and a long one"),
    ("how to", "of two three"),
    ("green", None),
]
LABELS = {"0": "contradiction", "1": "entailment", "2": "neutral"}


def classifier(folder: Path, kind: str = "bert") -> Path:
    """A three-label classifier, named as NLI models are."""
    build = {"bert": tiny.bert, "roberta": tiny.roberta, "distilbert": tiny.distilbert}[kind]
    built = build(folder, labels=3)
    config = json.loads((built / "config.json").read_text(encoding="utf-8"))
    tiny.write_json(built / "config.json", {**config, "id2label": LABELS})
    return built


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_a_classifier_says_what_transformers_says(tmp_path: Path, kind: str) -> None:
    """Labels from config.json, logits and softmax as the reference has them, of pairs and of single texts."""
    folder = classifier(tmp_path / kind, kind)
    said = ClassifierPairModel(ModelFolder.read(folder), runtime=TORCH_REFERENCE).predict(PAIRS)

    reference = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        expected = [
            reference(**tokenizer(*[text for text in pair if text is not None], return_tensors="pt")).logits[0]
            for pair in PAIRS
        ]
    assert said.labels == ("contradiction", "entailment", "neutral")
    assert np.allclose(said.logits, torch.stack(expected).numpy(), atol=1e-4)
    assert np.allclose(said.probabilities.sum(axis=1), 1)
    assert not said.truncated.any()
    assert [one.label for one in said.ranked(0)] == [said.labels[i] for i in np.argsort(-said.logits[0])]


def test_the_answer_does_not_depend_on_what_else_was_asked(tmp_path: Path) -> None:
    """Neither on the order nor on the batch."""
    model = load_pair_model(str(classifier(tmp_path)))
    together = model.predict(PAIRS * 12).logits
    alone = np.concatenate([model.predict([pair]).logits for pair in PAIRS])
    assert np.allclose(together, np.tile(alone, (12, 1)), atol=1e-2)


def test_what_is_too_long_is_cut_and_said(tmp_path: Path) -> None:
    """Of a pair the longer text is cut; an answer comes all the same."""
    model = load_pair_model(str(classifier(tmp_path)))
    long = "tea " * 500
    pairs: list[TextPair] = [(long, "tea"), ("tea", long), (long, long), (long, None), ("tea", "tea")]
    said = model.predict(pairs)
    assert said.truncated.tolist() == [True, True, True, True, False]
    assert np.isfinite(said.logits).all()


def test_a_reranker_says_one_score(tmp_path: Path) -> None:
    """The label of its head, the calibrated probability, in input order, and no single texts."""
    folder = tiny.bert(tmp_path / "cross", labels=1)
    parameters = {"fused": {"slope": 1, "intercept": 0}, "logit": {"slope": 2, "intercept": -1}}
    tiny.write_json(folder / "rerank.json", {"calibration": {"method": "platt", "parameters": parameters}})
    model = load_pair_model(str(folder))
    said = model.predict([PAIRS[0], PAIRS[1], PAIRS[0]])

    assert isinstance(model, RerankerPairModel)
    assert said.labels == ("LABEL_0",)
    assert said.logits[0] == said.logits[2] != said.logits[1]
    assert said.probabilities[:, 0] == pytest.approx(1 / (1 + np.exp(1 - 2 * said.logits[:, 0])))
    with pytest.raises(InvalidRequest, match=r"input 2 must be a pair, got one text: .* scores pairs"):
        model.predict([PAIRS[0], PAIRS[3]])


def test_an_encoder_says_nothing_of_pairs(tmp_path: Path) -> None:
    """It is refused by name, as a missing model is."""
    with pytest.raises(ModelInvalid, match="a model of kind encoder"):
        load_pair_model(str(tiny.bert(tmp_path / "encoder")))
    with pytest.raises(ModelNotFound, match='model "nowhere" not found'):
        load_pair_model("nowhere")


def test_requests_name_the_configured_models(tmp_path: Path) -> None:
    """The default, a classifier beside it, and nothing else; each is loaded once."""
    cross, labels = tiny.bert(tmp_path / "cross", labels=1), classifier(tmp_path / "labels")
    models = LoadedPairModels(str(cross), [str(labels)], ranking=lambda: LoadedModels(str(cross)))

    assert isinstance(models.get(None), RerankerPairModel)
    assert isinstance(models.get(str(labels)), ClassifierPairModel)
    assert models.get(None) is models.get("default") is models.get(str(cross))
    with pytest.raises(ModelNotFound, match='model "other" is not configured'):
        models.get("other")
