"""Rules for keys that a dialect does not know, values of a neighbouring type, and `top_n`, in every dialect."""

from __future__ import annotations

from typing import Any

import pytest

from rerank.core.ranking import RankingModel
from tests.fakes import FakeModels, FakeReranker
from tests.service.dialects.test_dialects import DOCUMENTS, EVERY_DIALECT, SIMILARITY, TEXTS
from tests.service.fake_service import INDEX, client, components

RERANK_DIALECTS = [(path, body) for path, body in EVERY_DIALECT if path not in ("/score", SIMILARITY)]


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_unknown_key_is_ignored_and_named_in_a_header(path: str, body: dict[str, Any]) -> None:
    """The response is the same as without the key."""
    plain, tolerant = (client().post(path, json=sent) for sent in (body, {**body, "bogus": {"a": [1]}, "more": None}))
    assert (tolerant.status_code, tolerant.headers["x-rerank-ignored"]) == (200, "bogus, more")
    assert "x-rerank-ignored" not in plain.headers
    assert _scores_of(tolerant.get_json()) == _scores_of(plain.get_json())


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_unknown_key_with_unusual_characters_has_a_valid_header(path: str, body: dict[str, Any]) -> None:
    """Line ends, control characters, and long names cannot break the header."""
    keys = ["a\r\nx-injected: 1", "ключ", "k" * 5000, *(f"n{i}" for i in range(100))]
    response = client().post(path, json={**body, **dict.fromkeys(keys, 1)})
    assert response.status_code == 200
    assert "x-injected" not in response.headers
    shown = response.headers["x-rerank-ignored"]
    assert shown.startswith(f"a%0D%0Ax-injected%3A 1, %D0%BA%D0%BB%D1%8E%D1%87, {'k' * 60}, n0, ")
    assert shown.endswith(", n16")


def test_cohere_warns_about_ignored_keys() -> None:
    """Cohere's responses have room for warnings."""
    response = client().post("/v1/rerank", json={**DOCUMENTS, "return_len": True, "instruction": "find advice"})
    assert response.get_json()["meta"]["warnings"] == [
        'key "return_len" was ignored',
        'key "instruction" was ignored',
    ]
    assert response.headers["x-rerank-ignored"] == "return_len, instruction"


def test_instruction_reaches_a_model_that_takes_one() -> None:
    """The reranker with the instruction scores the texts, and the key is not reported as ignored."""
    model = RankingModel(FakeReranker(), with_instruction=lambda text: FakeReranker(name=f"with {text}"))
    response = client(components(models=FakeModels(model))).post("/rerank", json={**DOCUMENTS, "instruction": "advice"})
    assert response.headers["x-rerank-model"] == "with advice"
    assert "x-rerank-ignored" not in response.headers


def test_unknown_key_of_a_nested_object_is_named_with_its_object() -> None:
    """Objects inside a body are tolerant too; each name occurs once."""
    passages = [{"text": text, "id": i} for i, text in enumerate(TEXTS)]
    body = {"query": {"text": "green tea", "lang": "en"}, "passages": passages}
    assert client().post("/v1/ranking", json=body).headers["x-rerank-ignored"] == "query.lang, passages.id"
    body = {"query": "green tea", "input": TEXTS, "task_settings": {"top_n": "1", "bogus": 1}}
    response = client().post("/_inference/rerank/default", json=body)
    assert len(response.get_json()["rerank"]) == 1
    assert response.headers["x-rerank-ignored"] == "task_settings.bogus"


@pytest.mark.parametrize(("path", "body"), RERANK_DIALECTS)
@pytest.mark.parametrize(("top_n", "count"), [(1, 1), ("2", 2), (2.0, 2), (0, 3), (99, 3), (None, 3), ("", 3)])
def test_top_n_limits_the_results_in_every_dialect(path: str, body: dict[str, Any], top_n: object, count: int) -> None:
    """0, null, an empty string and a number above the number of texts return all."""
    body = {key: value for key, value in body.items() if key != "top_k"} | {"top_n": top_n}
    assert len(_scores_of(client().post(path, json=body).get_json())) == count


def test_top_n_returns_the_best_documents_to_weaviate() -> None:
    """The best documents stay in request order."""
    response = client().post("/rerank", json={**DOCUMENTS, "property": "", "top_n": 2}).get_json()
    assert [score["document"] for score in response["scores"]] == ["green tea", "tea"]


def test_top_n_has_no_effect_where_results_have_no_positions() -> None:
    """A tensor is recognised by its position, so all texts must have one."""
    body = {"query_text": "green tea", "text_docs": TEXTS, "top_n": 1}
    response = client().post(SIMILARITY, json=body)
    assert len(response.get_json()["inference_results"][0]["output"]) == 3
    assert response.headers["x-rerank-ignored"] == "top_n"


@pytest.mark.parametrize(("sent", "returned"), [("true", True), (1, True), ("false", False), ("", False)])
def test_boolean_may_be_a_string(sent: object, returned: bool) -> None:
    """RAGFlow sends "true"."""
    response = client().post("/v1/rerank", json={**DOCUMENTS, "return_documents": sent})
    assert ("document" in response.get_json()["results"][0]) is returned


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top_n": True}, '"top_n" must be an integer, got true'),
        ({"top_n": "two"}, '"top_n" must be an integer, got "two"'),
        ({"top_n": 1.5}, '"top_n" must be an integer, got 1.5'),
        ({"return_documents": "maybe"}, '"return_documents" must be true or false, got "maybe"'),
        ({"return_documents": 2}, '"return_documents" must be true or false, got 2'),
        ({"query": 5}, '"query" must be a string, got 5'),
    ],
)
def test_value_without_a_clear_meaning_returns_400(changes: dict[str, object], message: str) -> None:
    """Only values with one possible meaning are converted."""
    response = client().post("/v1/rerank", json={**DOCUMENTS, **changes})
    assert (response.status_code, response.get_json()["message"]) == (400, message)


def test_infinity_has_a_path_of_its_own() -> None:
    """LiteLLM's infinity provider does not send raw_scores, and requires a plain string as the document."""
    body = {**DOCUMENTS, "top_n": 1, "return_documents": True}
    response = client().post("/infinity/rerank", json=body).get_json()
    assert (response["object"], response["results"]) == (
        "rerank",
        [{"relevance_score": 0.98201379, "index": 1, "document": "green tea"}],
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/search", {"index": INDEX, "query": "tea"}),
        ("/documents", {"index": INDEX, "documents": []}),
    ],
)
def test_own_endpoints_reject_unknown_keys(path: str, body: dict[str, Any]) -> None:
    """A misspelled key of the service's own API is an error, and types are not converted."""
    response = client().post(path, json={**body, "bogus": 1})
    assert (response.status_code, response.get_json()["field"]) == (400, "bogus")


def _scores_of(response: Any) -> list[Any]:
    """Returns the results of a response in any dialect."""
    if isinstance(response, list):
        return response
    keys = ("results", "rankings", "scores", "data", "rerank", "inference_results")
    results: list[Any] = next(response[key] for key in keys if key in response)
    return results
