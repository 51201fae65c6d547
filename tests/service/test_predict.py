from __future__ import annotations

from collections.abc import Sequence
from math import exp

import pytest

from rerank.core.errors import InvalidRequest, ModelError, ModelOverloaded, RerankError
from rerank.core.pairs import PairPredictions, TextPair
from rerank.service.response_models import PredictResponse
from tests.fakes import FakePairModel, FakePairModels
from tests.service.fake_service import client, components, error

SURE = exp(4) / (exp(4) + exp(2))


class Failing(FakePairModel):
    """Fails as it is told."""

    def __init__(self, problem: RerankError) -> None:
        super().__init__()
        self._problem = problem

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        raise self._problem


def test_a_pair_is_answered_with_its_labels_best_first() -> None:
    """As text-embeddings-inference answers one input: an array of label and score."""
    answer = client().post("/predict", json={"inputs": ["green tea", "tea is green"]})
    assert answer.status_code == 200
    assert answer.get_json() == [
        {"label": "same", "score": pytest.approx(SURE, abs=1e-6)},
        {"label": "other", "score": pytest.approx(1 - SURE, abs=1e-6)},
    ]
    PredictResponse.model_validate(answer.get_json())


def test_several_inputs_are_answered_in_their_order() -> None:
    """A list of lists of one or two texts, mixed; each answer is sorted by itself."""
    inputs = [["green tea", "coffee"], ["green tea"], ["green tea", "green tea"]]
    answer = client().post("/predict", json={"inputs": inputs}).get_json()
    assert [[one["label"] for one in each] for each in answer] == [
        ["other", "same"],
        ["other", "same"],
        ["same", "other"],
    ]
    PredictResponse.model_validate(answer)


def test_one_text_may_come_alone_or_in_a_list() -> None:
    """Both are one input, and so is the answer."""
    asked = client()
    alone, listed = (asked.post("/predict", json={"inputs": inputs}).get_json() for inputs in ("tea", ["tea"]))
    assert alone == listed
    assert [one["label"] for one in alone] == ["other", "same"]


def test_raw_scores_are_the_models_own() -> None:
    """No softmax, the same order."""
    body = {"inputs": ["tea", "tea"], "raw_scores": True, "truncate": True, "model": "fake-labels"}
    answer = client().post("/predict", json=body).get_json()
    assert answer == [{"label": "same", "score": 4.0}, {"label": "other", "score": 2.0}]


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
def test_what_is_no_input_is_a_422(inputs: object, field: str) -> None:
    """Its status there, our body here, and the place named."""
    answer = client().post("/predict", json={"inputs": inputs})
    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert answer.get_json()["error_type"] == "Validation"


def test_an_unknown_key_and_a_missing_one_are_a_422() -> None:
    """As everywhere, a typing error is told."""
    for body, field in (({"inputs": "a", "raw_score": True}, "raw_score"), ({}, "inputs")):
        answer = client().post("/predict", json=body)
        assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_an_unknown_model_is_a_404() -> None:
    """With the names there are."""
    answer = client().post("/predict", json={"inputs": "a", "model": "other"})
    assert answer.status_code == 404
    assert answer.get_json() == error('no model "other" is configured; there are: fake-labels', "NotFound")


def test_an_input_that_is_too_long_is_cut_unless_that_is_forbidden() -> None:
    """truncate: false makes it an error."""
    long = ["tea " * 20, "tea"]
    assert client().post("/predict", json={"inputs": long}).status_code == 200
    answer = client().post("/predict", json={"inputs": [["tea", "tea"], long], "truncate": False})
    assert answer.status_code == 422
    assert answer.get_json()["message"] == (
        "input 2 is longer than the model reads; send less of it, or truncate: true"
    )


@pytest.mark.parametrize(
    ("problem", "status"),
    [(ModelError("broken"), 424), (ModelOverloaded("busy"), 429), (InvalidRequest("reads pairs", field="inputs"), 422)],
)
def test_a_model_that_fails_has_their_status(problem: RerankError, status: int) -> None:
    """424 for a failing backend, 429 when there is too much to do."""
    asked = client(components(pair_models=FakePairModels(Failing(problem))))
    answer = asked.post("/predict", json={"inputs": ["a", "b"]})
    assert (answer.status_code, answer.get_json()["message"]) == (status, problem.message)
    assert ("Retry-After" in answer.headers) == (status == 429)
