from __future__ import annotations

from collections.abc import Sequence
from math import exp

import pytest

from rerank.core.errors import InvalidRequest, ModelError, ModelOverloaded, RerankError
from rerank.core.pairs import PairPredictions, TextPair
from rerank.service.response_models import PredictResponse
from tests.fakes import FakePairModel, FakePairModels
from tests.service.fake_service import client, components, error

TOP_PROBABILITY = exp(4) / (exp(4) + exp(2))


class FailingPairModel(FakePairModel):
    """A model that raises a given error."""

    def __init__(self, problem: RerankError) -> None:
        super().__init__()
        self._problem = problem

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        raise self._problem


def test_pair_returns_its_labels_best_first() -> None:
    """One input returns a list of labels and scores, as in text-embeddings-inference."""
    response = client().post("/predict", json={"inputs": ["green tea", "tea is green"]})
    assert response.status_code == 200
    assert response.get_json() == [
        {"label": "same", "score": pytest.approx(TOP_PROBABILITY, abs=1e-6)},
        {"label": "other", "score": pytest.approx(1 - TOP_PROBABILITY, abs=1e-6)},
    ]
    PredictResponse.model_validate(response.get_json())


def test_batch_keeps_the_order_of_its_inputs() -> None:
    """A batch may mix texts and pairs; the labels of each input are sorted separately."""
    inputs = [["green tea", "coffee"], ["green tea"], ["green tea", "green tea"]]
    response = client().post("/predict", json={"inputs": inputs}).get_json()
    assert [[entry["label"] for entry in labels] for labels in response] == [
        ["other", "same"],
        ["other", "same"],
        ["same", "other"],
    ]
    PredictResponse.model_validate(response)


def test_single_text_may_be_a_string_or_a_list() -> None:
    """Both forms are one input and return one list of labels."""
    service = client()
    from_string, from_list = (
        service.post("/predict", json={"inputs": inputs}).get_json() for inputs in ("tea", ["tea"])
    )
    assert from_string == from_list
    assert [entry["label"] for entry in from_string] == ["other", "same"]


def test_raw_scores_are_logits() -> None:
    """Logits replace the probabilities; the order is the same."""
    body = {"inputs": ["tea", "tea"], "raw_scores": True, "truncate": True, "model": "fake-labels"}
    response = client().post("/predict", json=body).get_json()
    assert response == [{"label": "same", "score": 4.0}, {"label": "other", "score": 2.0}]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ([], "inputs"),
        (["a", "b", "c"], "inputs"),
        ([1, "b"], "inputs"),
        (7, "inputs"),
        ({"text": "a"}, "inputs"),
        (["a", ["b"]], "inputs"),
        ([["a", "b"], "c"], "inputs[1]"),
        ([["a", "b"], []], "inputs[1]"),
        ([["a", "b", "c"]], "inputs[0]"),
        ([["a", None]], "inputs[0]"),
        (["a", "\ud800"], "inputs[1]"),
    ],
)
def test_invalid_input_returns_422(inputs: object, field: str) -> None:
    """The status is that of text-embeddings-inference, and `field` has the position."""
    response = client().post("/predict", json={"inputs": inputs})
    assert (response.status_code, response.get_json()["field"]) == (422, field)
    assert response.get_json()["error_type"] == "Validation"


def test_missing_key_returns_422() -> None:
    """The response names the key."""
    response = client().post("/predict", json={})
    assert (response.status_code, response.get_json()["field"]) == (422, "inputs")


def test_unknown_key_is_ignored_and_named_in_a_header() -> None:
    """As in all dialects of other products."""
    response = client().post("/predict", json={"inputs": "a", "bogus": True})
    assert (response.status_code, response.headers["x-rerank-ignored"]) == (200, "bogus")


def test_unknown_model_returns_404() -> None:
    """The message lists the configured models."""
    response = client().post("/predict", json={"inputs": "a", "model": "other"})
    assert response.status_code == 404
    assert response.get_json() == error('no model "other" is configured. Configured: fake-labels', "NotFound")


def test_long_input_is_truncated_unless_truncate_is_false() -> None:
    """With truncate false, a long input is an error."""
    long = ["tea " * 20, "tea"]
    assert client().post("/predict", json={"inputs": long}).status_code == 200
    response = client().post("/predict", json={"inputs": [["tea", "tea"], long], "truncate": False})
    assert response.status_code == 422
    assert response.get_json()["message"] == (
        "input 2 exceeds the model's maximum length. Shorten it, or set truncate to true"
    )


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (ModelError("broken"), 424),
        (ModelOverloaded("busy"), 429),
        (InvalidRequest("the inputs must be pairs", field="inputs"), 422),
    ],
)
def test_model_failure_has_the_status_of_text_embeddings_inference(problem: RerankError, status: int) -> None:
    """A failed model is 424, and a full queue is 429."""
    service = client(components(pair_models=FakePairModels(FailingPairModel(problem))))
    response = service.post("/predict", json={"inputs": ["a", "b"]})
    assert (response.status_code, response.get_json()["message"]) == (status, problem.message)
    assert ("Retry-After" in response.headers) == (status == 429)
