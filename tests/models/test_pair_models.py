"""Rules for models of text pairs."""

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
from rerank.models.public_names import PublicNames
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
    """Returns the folder of a classifier with the three labels of NLI models."""
    build = {"bert": tiny.bert, "roberta": tiny.roberta, "distilbert": tiny.distilbert}[kind]
    built = build(folder, labels=3)
    config = json.loads((built / "config.json").read_text(encoding="utf-8"))
    tiny.write_json(built / "config.json", {**config, "id2label": LABELS})
    return built


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_classifier_returns_the_logits_of_transformers(tmp_path: Path, kind: str) -> None:
    """Labels come from config.json. Logits and probabilities equal the reference for pairs and single texts."""
    folder = classifier(tmp_path / kind, kind)
    predictions = ClassifierPairModel(ModelFolder.read(folder), runtime=TORCH_REFERENCE).predict(PAIRS)

    reference = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        expected = [
            reference(**tokenizer(*[text for text in pair if text is not None], return_tensors="pt")).logits[0]
            for pair in PAIRS
        ]
    assert predictions.labels == ("contradiction", "entailment", "neutral")
    assert np.allclose(predictions.logits, torch.stack(expected).numpy(), atol=1e-4)
    assert np.allclose(predictions.probabilities.sum(axis=1), 1)
    assert not predictions.truncated.any()
    assert [scored.label for scored in predictions.ranked(0)] == [
        predictions.labels[i] for i in np.argsort(-predictions.logits[0])
    ]


def test_prediction_is_independent_of_its_batch(tmp_path: Path) -> None:
    """Order and batch do not change a prediction."""
    model = load_pair_model(str(classifier(tmp_path)))
    batched = model.predict(PAIRS * 12).logits
    single = np.concatenate([model.predict([pair]).logits for pair in PAIRS])
    assert np.allclose(batched, np.tile(single, (12, 1)), atol=1e-2)


def test_long_text_is_truncated_and_reported(tmp_path: Path) -> None:
    """The longer text of a pair is truncated first."""
    model = load_pair_model(str(classifier(tmp_path)))
    long = "tea " * 500
    pairs: list[TextPair] = [(long, "tea"), ("tea", long), (long, long), (long, None), ("tea", "tea")]
    predictions = model.predict(pairs)
    assert predictions.truncated.tolist() == [True, True, True, True, False]
    assert np.isfinite(predictions.logits).all()


def test_reranker_returns_one_calibrated_score(tmp_path: Path) -> None:
    """The predictions have one label and are in input order. Single texts are refused."""
    folder = tiny.bert(tmp_path / "cross", labels=1)
    parameters = {"fused": {"slope": 1, "intercept": 0}, "logit": {"slope": 2, "intercept": -1}}
    tiny.write_json(folder / "rerank.json", {"calibration": {"method": "platt", "parameters": parameters}})
    model = load_pair_model(str(folder))
    predictions = model.predict([PAIRS[0], PAIRS[1], PAIRS[0]])

    assert isinstance(model, RerankerPairModel)
    assert predictions.labels == ("LABEL_0",)
    assert predictions.logits[0] == predictions.logits[2] != predictions.logits[1]
    assert predictions.probabilities[:, 0] == pytest.approx(1 / (1 + np.exp(1 - 2 * predictions.logits[:, 0])))
    with pytest.raises(InvalidRequest, match=r"input 2 must be a pair, got one text: .* scores pairs"):
        model.predict([PAIRS[0], PAIRS[3]])


def test_encoder_is_refused_as_pair_model(tmp_path: Path) -> None:
    """An encoder is invalid, and an unknown name is not found."""
    with pytest.raises(ModelInvalid, match="a model of kind encoder"):
        load_pair_model(str(tiny.bert(tmp_path / "encoder")))
    with pytest.raises(ModelNotFound, match='model "nowhere" not found'):
        load_pair_model("nowhere")


def test_requests_select_configured_models(tmp_path: Path) -> None:
    """Requests can select the default model and configured models. Each is loaded once."""
    cross, labels = tiny.bert(tmp_path / "cross", labels=1), classifier(tmp_path / "labels")
    names = PublicNames.of("reranker", str(cross), [str(labels)])
    models = LoadedPairModels(names, ranking=lambda: LoadedModels(str(cross)))

    assert isinstance(models.get(None), RerankerPairModel)
    assert isinstance(models.get("labels"), ClassifierPairModel)
    assert models.get(None) is models.get("default") is models.get("cross")
    with pytest.raises(ModelNotFound, match='model "other" is not configured'):
        models.get("other")
